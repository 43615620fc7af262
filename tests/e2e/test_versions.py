"""What a version changes in the headers: offers, refusals, bare messages and bare attachments on the wire."""

import pytest

from appliance.phone.autodiscover import url_in
from appliance.phone.errors import HttpError
from appliance.phone.session import PATH, VERSIONS
from appliance.phone.transport import Answer
from appliance.wbxml.codec import encode
from appliance.wbxml.codepages import FolderHierarchy
from tests.covers import covers
from tests.e2e.conftest import BEN, MIA, Office
from tests.grammar.wire import read

OLDEST_FIRST = ",".join(reversed(VERSIONS))
LETTER = (
    f"From: {MIA}\r\nTo: {BEN}\r\nSubject: bare message\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n"
    "--b\r\nContent-Type: text/html\r\nContent-Disposition: attachment; filename=page.html\r\n\r\n"
    "<p>page</p>\r\n--b--\r\n"
).encode()


def post(
    office: Office, command: str, body: bytes = b"", *, version: str, content_type: str = "", more: str = ""
) -> Answer:
    """Send a request as it stands and return the answer whatever its status."""
    phone = office.phone(MIA)
    headers = {"Authorization": phone.session.authorization(), "X-MS-PolicyKey": "0"}
    if version:
        headers["MS-ASProtocolVersion"] = version
    if content_type:
        headers["Content-Type"] = content_type
    query = f"Cmd={command}&User={MIA}&DeviceId=wire{version.replace('.', '')}&DeviceType=iPhone{more}"
    return phone.transport.request("POST", f"{PATH}?{query}", headers, body)


@covers("MS-ASHTTP_R249", "MS-ASHTTP_R296", "MS-ASHTTP_R459", "MS-ASHTTP_R460", "MS-ASHTTP_R461")
@covers("MS-ASHTTP_R1201", "MS-ASHTTP_R12011")
def test_the_offer(office: Office) -> None:
    assert OLDEST_FIRST == "12.1,14.0,14.1,16.0,16.1"
    found = office.phone(MIA).options()
    assert ",".join(found.versions) == OLDEST_FIRST
    assert {"GetAttachment", "GetHierarchy", "Find", "FolderCreate"} <= set(found.commands)


@covers("MS-ASWBXML_R1")
@pytest.mark.parametrize("version", VERSIONS)
def test_a_phone_that_starts_is_told_the_offer(office: Office, version: str) -> None:
    start = encode(FolderHierarchy.FolderSync(FolderHierarchy.SyncKey("0")))
    answer = post(office, "FolderSync", start, version=version, content_type="application/vnd.ms-sync.wbxml")
    assert answer.status == 200
    assert read(answer.body).tag == "FolderHierarchy:FolderSync"
    assert answer.headers["x-ms-rp"] == answer.headers["ms-asprotocolversions"] == OLDEST_FIRST


@pytest.mark.parametrize("version", ["2.5", "12.0", "17.0"])
def test_other_versions_are_refused(office: Office, version: str) -> None:
    answer = post(office, "FolderSync", version=version)
    assert (answer.status, answer.body, answer.headers["content-length"]) == (505, b"", "0")
    assert answer.headers["ms-asprotocolversions"] == OLDEST_FIRST


def test_errors_of_12_1_are_http(office: Office) -> None:
    broken = b"\x03\x01\x6a\x00\x45"
    for version, status in (("12.1", 400), ("14.0", 200)):
        answer = post(office, "Sync", broken, version=version, content_type="application/vnd.ms-sync.wbxml")
        assert (answer.status, bool(answer.body)) == (status, status == 200)
    assert post(office, "GetAttachment", version="14.0", more="&AttachmentName=1").status == 501


def test_a_bare_message_and_its_bare_attachment(office: Office) -> None:
    sent = {"version": "12.1", "content_type": "message/rfc822", "more": "&SaveInSent=T"}
    for _ in range(2):
        answer = post(office, "SendMail", LETTER, **sent)
        assert (answer.status, answer.body) == (200, b"")
    reader, inbox = office.ready_phone(BEN, version="12.1", device_id="reader")
    found = [
        item for item in reader.mailbox.collection(inbox).items.values() if "bare" in str(item["Subject"])
    ]
    assert len(found) == 1, "the repeated request was sent again"
    (attachment,) = found[0]["Attachments"]  # type: ignore[misc]  # a list of dicts, as phones keep it
    reference = attachment["FileReference"]  # type: ignore[index,call-overload]
    reader.session.policy_key = "0"
    headers = {"Authorization": reader.session.authorization(), "MS-ASProtocolVersion": "12.1"}
    query = f"Cmd=GetAttachment&User={BEN}&DeviceId=reader&DeviceType=iPhone&AttachmentName={reference}"
    answer = reader.transport.request("POST", f"{PATH}?{query}", headers)
    assert (answer.status, answer.body) == (200, b"<p>page</p>")
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-disposition"] == "attachment"


def test_autodiscover_as_a_command(office: Office) -> None:
    request = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/requestschema/2006"
    schema = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006"
    body = (
        f'<Autodiscover xmlns="{request}"><Request><EMailAddress>{MIA}</EMailAddress>'
        f"<AcceptableResponseSchema>{schema}</AcceptableResponseSchema></Request></Autodiscover>"
    ).encode()
    answer = post(office, "Autodiscover", body, version="", content_type="text/xml")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    assert url_in(answer.body) == office.phone(MIA).autodiscover()[1]


def test_the_base64_query_of_12_1(office: Office) -> None:
    phone = office.phone(MIA, version="12.1", device_id="base64")
    phone.session.query_form = "base64"
    assert phone.folder_sync() > 0
    phone.send_mail(LETTER.replace(b"bare message", b"base64"))
    with pytest.raises(HttpError):
        phone.send_mail(b"Subject: to nobody\r\n\r\nx\r\n")
