"""The two forms of the query."""

import base64
from urllib.parse import parse_qs

import pytest

from appliance.phone.identity import Identity, device_id_for
from appliance.phone.query import base64_form, plain

PHONE = Identity("j95cmdo6sh45veof6dm6j3futk")


def test_plain_names_command_user_and_device() -> None:
    query = parse_qs(plain("SendMail", "mia@example.com", PHONE, {"SaveInSent": "T"}))
    assert query == {
        "Cmd": ["SendMail"],
        "User": ["mia@example.com"],
        "DeviceId": [PHONE.device_id],
        "DeviceType": ["iPhone"],
        "SaveInSent": ["T"],
    }


def test_base64_writes_the_example_of_the_specification() -> None:
    """MS-ASHTTP 4 prints this request line: Sync, 14.0, locale 0x0409, device v140Device, SmartPhone."""
    device = Identity("v140Device", device_type="SmartPhone", locale_id=0x0409)
    found = base64_form("Sync", "", device, {}, version="14.0", policy_key=None)
    assert found == "jAAJBAp2MTQwRGV2aWNlAApTbWFydFBob25l"


def test_base64_carries_key_options_and_parameters() -> None:
    parameters = {"CollectionId": "7", "SaveInSent": "T"}
    found = base64.b64decode(
        base64_form(
            "ItemOperations",
            "m",
            PHONE,
            parameters,
            version="16.1",
            policy_key=0x01020304,
            accept_multipart=True,
        )
    )
    assert found[:4] == bytes((161, 19, 0x09, 0x04))
    assert bytes((4, 4, 3, 2, 1)) in found
    assert found.endswith(bytes((1, 1)) + b"7" + bytes((8, 1)) + b"m" + bytes((7, 1, 0x03)))


def test_base64_refuses_a_value_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match="256 bytes"):
        base64_form("Sync", "u" * 256, PHONE, {}, version="14.1", policy_key=1)


def test_device_ids_look_like_an_iphones() -> None:
    found = device_id_for("mia@example.com 16.1")
    assert len(found) == 26
    assert set(found) <= set("0123456789abcdefghijklmnopqrstuv")
    assert found == device_id_for("mia@example.com 16.1") != device_id_for("mia@example.com 14.1")
