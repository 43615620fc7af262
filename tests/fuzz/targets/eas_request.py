"""An ActiveSync request line and headers: the first line is the query, each further one a header.

Refused with RequestError 400 or 501, or a Request whose values are as narrow as its documentation says; a
device keeps its name when it asks again in the plain form.
"""

import base64
import json
import re
from pathlib import Path
from random import Random

from appliance.eas.request import AUTODISCOVER, COMMAND_CODES, PARAMETERS, RequestError, parse
from tests.fuzz.checks import is_one_line
from tests.fuzz.coverage import ROOT, note

COVERS = ("appliance/eas/request.py",)
TOKENS = (
    *(f"&{name}=".encode() for name in ("Cmd", "User", "DeviceId", "DeviceType", "SaveInSent", "ItemId")),
    b"Cmd=Sync&User=a%40example.com&DeviceId=Appl1&DeviceType=iPhone",
    b"\nMS-ASProtocolVersion: 16.1",
    b"\nX-MS-PolicyKey: 4294967295",
    b"\nMS-ASAcceptMultiPart: T",
    b"\nAccept-Encoding: gzip;q=0",
    b"\nContent-Type: application/vnd.ms-sync.wbxml",
    b"%00",
    b"%E2%80%AE",
    b"%ff",
    "\u0661".encode(),
)
BYTES_MAX = 10_000
_DEVICE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def seeds() -> list[bytes]:
    cases = json.loads(Path(ROOT / "tests/vectors/eas/query-base64.json").read_text("utf-8"))
    plain = (
        b"Cmd=SmartForward&User=a%40example.com&DeviceId=Appl1&DeviceType=iPhone&ItemId=5%3A1&SaveInSent=T"
    )
    headers = b"\nMS-ASProtocolVersion: 14.1\nX-MS-PolicyKey: 1\nAccept-Encoding: gzip\nUser-Agent: Apple/2"
    return [plain + headers, *(case["query"].encode() for case in cases)]


def make(rng: Random) -> bytes:
    """Build a base64 query out of fields with right and wrong lengths."""

    def counted(value: bytes) -> bytes:
        length = len(value) if rng.random() < 0.9 else rng.randrange(256)
        return bytes((length,)) + value

    head = bytes((rng.choice((0, 25, 121, 140, 141, 160, 161, 255)), rng.randrange(26), 9, 4))
    device = rng.choice((b"Appl87654321", rng.randbytes(16), rng.randbytes(rng.randrange(70)), b""))
    key = rng.choice((b"", rng.randbytes(4), rng.randbytes(3)))
    fields = counted(device) + counted(key) + counted(rng.choice((b"iPhone", b"\xff", b"", b"x" * 129)))
    for _ in range(rng.randrange(4)):
        fields += bytes((rng.randrange(10),)) + counted(rng.randbytes(rng.randrange(12)))
    return base64.b64encode(head + fields)


def target(data: bytes) -> None:
    # As `web.eas` hands it over: octets as latin-1, which is what WSGI means by text.
    query, *lines = data.decode("latin-1").split("\n")
    headers = dict(line.partition(":")[::2] for line in lines)
    try:
        request = parse("POST", query, headers)
    except RequestError as error:
        assert error.status in (400, 501)
        is_one_line(error.message, "the message")
        note("refused", error.message[:30])
        return
    note(request.command, request.locale is None, request.policy_key is None)
    assert request.command in (AUTODISCOVER, *COMMAND_CODES.values())
    assert request.device_id == "" or _DEVICE_ID.fullmatch(request.device_id)
    assert len(request.device_type) <= 128
    assert request.policy_key is None or 0 <= request.policy_key <= 0xFFFF_FFFF
    assert set(request.params) <= set(PARAMETERS.values())
    if request.command != AUTODISCOVER:  # which has none
        float(request.version)
    for name in ("user", "device_type", "user_agent"):
        is_one_line(getattr(request, name), name)
    if not request.device_id:
        return  # malformed: the answer depends on the version
    plain = parse(
        "POST", f"Cmd=Ping&DeviceId={request.device_id}&DeviceType=x", {"ms-asprotocolversion": "16.1"}
    )
    assert plain.device_id == request.device_id, "the same device has two names"
