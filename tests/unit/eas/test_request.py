"""MS-ASHTTP requests: both query forms, headers, device names, and that garbage stays a RequestError."""

import base64
import json
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from appliance.eas.request import COMMAND_CODES, RequestError, accepts_gzip, parse

VECTORS = Path(__file__).parents[2] / "vectors" / "eas" / "query-base64.json"
CASES: list[dict[str, Any]] = json.loads(VECTORS.read_text(encoding="utf-8"))
GUID = "a7c1f03e5d224b8f9a0011e4d2b6c8ff"
PLAIN = "Cmd=Sync&User=mara@example.com&DeviceId=Appl87654321&DeviceType=iPhone"
HEADERS = {"MS-ASProtocolVersion": "16.1"}


def base64_query(version: int, code: int, device: bytes, key: bytes, kind: bytes, rest: bytes = b"") -> str:
    fields = b"".join(bytes([len(field)]) + field for field in (device, key, kind))
    return base64.b64encode(struct.pack("<BBH", version, code, 0x0409) + fields + rest).decode()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_base64_query_says_what_its_vector_says(case: dict[str, Any]) -> None:
    request = parse("POST", case["query"], {})
    assert {name: getattr(request, name) for name in case["expect"]} == case["expect"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_base64_query_may_be_percent_encoded_or_unpadded(case: dict[str, Any]) -> None:
    expected = parse("POST", case["query"], {})
    escaped = case["query"].replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    assert parse("POST", escaped, {}) == expected
    assert parse("POST", case["query"].rstrip("="), {}) == expected


def test_plain_query() -> None:
    request = parse(
        "POST",
        "Cmd=SmartForward&User=j%C3%B6rg%40example.com&DeviceId=Appl87654321&DeviceType=iPhone"
        "&CollectionId=5&ItemId=5%3A118&SaveInSent=T",
        {
            "ms-asprotocolversion": "12.1",
            "X-MS-PolicyKey": "3942919513",
            "MS-ASAcceptMultiPart": "T",
            "Content-Type": "message/rfc822; charset=utf-8",
            "User-Agent": "Apple-iPhone/2201.5",
            "Accept-Encoding": "deflate, gzip",
        },
        b"body",
    )
    assert (request.command, request.version, request.user) == ("SmartForward", "12.1", "jörg@example.com")
    assert dict(request.params) == {"CollectionId": "5", "ItemId": "5:118"}
    assert (request.policy_key, request.save_in_sent, request.accept_multipart) == (3942919513, True, True)
    assert (request.content_type, request.user_agent) == ("message/rfc822", "Apple-iPhone/2201.5")
    assert (request.accept_gzip, request.body, request.locale) == (True, b"body", None)


def test_names_of_commands_and_fields_in_any_letter_case() -> None:
    request = parse("POST", "CMD=foldersync&deviceid=Appl87654321&DEVICETYPE=iPhone&user=m", HEADERS)
    assert (request.command, request.device_id, request.device_type) == (
        "FolderSync",
        "Appl87654321",
        "iPhone",
    )


def test_both_forms_name_a_guid_device_alike() -> None:
    raw = base64_query(161, 0, bytes.fromhex(GUID), b"", b"iPhone")
    text = base64_query(161, 0, GUID.upper().encode(), b"", b"iPhone")
    plain = f"Cmd=Sync&DeviceId={GUID.upper()}&DeviceType=iPhone&User=m"
    assert {parse("POST", query, HEADERS).device_id for query in (raw, text, plain)} == {GUID}


def test_other_device_names_stay_as_they_were_sent() -> None:
    raw = base64_query(161, 0, b"aPPl-12.x_Y", b"", b"iPhone")
    plain = "Cmd=Sync&DeviceId=aPPl-12.x_Y&DeviceType=iPhone&User=m"
    assert {parse("POST", query, HEADERS).device_id for query in (raw, plain)} == {"aPPl-12.x_Y"}


def test_every_code_names_the_command_that_the_plain_form_spells_out() -> None:
    for code, name in COMMAND_CODES.items():
        coded = parse("POST", base64_query(161, code, b"d1", b"", b"iPhone"), {})
        spelt = parse("POST", f"Cmd={name}&DeviceId=d1&DeviceType=iPhone", HEADERS)
        assert coded.command == spelt.command == name


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("", HEADERS, 400),
        ("User=m&DeviceId=d1&DeviceType=iPhone", HEADERS, 400),
        ("Cmd=Teleport&DeviceId=d1&DeviceType=iPhone", HEADERS, 501),
        ("Cmd=&DeviceId=d1&DeviceType=iPhone", HEADERS, 501),
        (PLAIN, {}, 400),
        (PLAIN, {"MS-ASProtocolVersion": "sixteen"}, 400),
        (PLAIN + "&a=b" * 100, HEADERS, 400),
        (PLAIN + "&a=" + "b" * 9000, HEADERS, 400),
        ("A" * 9000, HEADERS, 400),
        ("jAAJBAp2MTQw", HEADERS, 400),
        ("A", HEADERS, 400),
        (base64_query(161, 99, b"d1", b"", b"iPhone"), {}, 501),
        (base64_query(161, 0, b"d1", b"\x01\x02", b"iPhone"), {}, 400),
        (base64_query(161, 0, b"d1", b"", b"iPhone", b"\x07"), {}, 400),
        (base64_query(161, 0, b"d1", b"", b"iPhone", b"\x01\x09short"), {}, 400),
    ],
)
def test_what_cannot_be_understood_is_refused(query: str, headers: dict[str, str], status: int) -> None:
    with pytest.raises(RequestError) as refused:
        parse("POST", query, headers)
    assert refused.value.status == status


@pytest.mark.parametrize(
    ("query", "device"),
    [
        ("Cmd=Sync&DeviceType=iPhone", ("", "iPhone")),
        ("Cmd=Sync&DeviceId=&DeviceType=iPhone", ("", "iPhone")),
        ("Cmd=Sync&DeviceId=..%2F..%2Fetc&DeviceType=iPhone", ("", "iPhone")),
        (f"Cmd=Sync&DeviceId={'x' * 65}&DeviceType=iPhone", ("", "iPhone")),
        ("Cmd=Sync&DeviceId=d1", ("d1", "")),
        ("Cmd=Sync&DeviceId=d1&DeviceType=%20%07", ("d1", "")),
        (f"Cmd=Sync&DeviceId=d1&DeviceType={'x' * 129}", ("d1", "")),
        (base64_query(161, 0, b"", b"", b"iPhone"), ("", "iPhone")),
        (base64_query(161, 0, b"\xff" * 40, b"", b"iPhone"), ("", "iPhone")),
    ],
)
def test_a_device_without_a_proper_name_has_none(query: str, device: tuple[str, str]) -> None:
    asked = parse("POST", query, HEADERS)
    assert (asked.device_id, asked.device_type) == device


@pytest.mark.parametrize(
    ("sent", "key"),
    [("0", 0), ("4294967295", 4294967295), ("4294967296", None), ("-1", None), ("", None), ("x", None)],
)
def test_a_policy_key_that_makes_no_sense_counts_as_none(sent: str, key: int | None) -> None:
    assert parse("POST", PLAIN, {**HEADERS, "X-MS-PolicyKey": sent}).policy_key == key


def test_text_from_the_phone_never_carries_control_characters() -> None:
    query = "Cmd=Sync&User=m%0d%0ainjected&DeviceId=d1&DeviceType=i%00Phone"
    request = parse("POST", query, {**HEADERS, "User-Agent": "agent\x1b[2J" + "x" * 1000})
    assert (request.user, request.device_type) == ("minjected", "iPhone")
    assert request.user_agent.isprintable()
    assert len(request.user_agent) == 256


@pytest.mark.parametrize(
    ("value", "allowed"),
    [
        ("gzip, deflate, br", True),
        ("GZIP;q=0.5", True),
        ("deflate", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("", False),
        ("notgzip", False),
    ],
)
def test_accept_encoding(value: str, allowed: bool) -> None:
    assert accepts_gzip(value) is allowed


@given(st.binary(max_size=300))
def test_random_base64_is_a_request_or_a_refusal(data: bytes) -> None:
    with suppress(RequestError):
        request = parse("POST", base64.b64encode(data).decode(), {})
        assert request.device_id.isascii()


@given(st.text(max_size=300), st.dictionaries(st.text(max_size=20), st.text(max_size=40)))
@example("\ud800", {})
@example("Cmd=Sync&DeviceId=d&DeviceType=\ud800", {"MS-ASProtocolVersion": "١٦.١"})
def test_random_text_is_a_request_or_a_refusal(query: str, headers: dict[str, str]) -> None:
    with suppress(RequestError):
        parse("POST", query, headers)


@given(st.dictionaries(st.sampled_from(["X-MS-PolicyKey", "User-Agent", "Accept-Encoding"]), st.text()))
def test_random_headers_never_spoil_a_good_query(headers: dict[str, str]) -> None:
    assert parse("POST", PLAIN, {**headers, **HEADERS}).command == "Sync"
