"""What a stranger, a broken phone or an attacker sends, over the wire: the proper answer to each.

All of it happens while another phone's Ping is held, which must notice nothing, on workers that must
not be replaced by new ones.
"""

import base64
import gzip
import socket
import struct
import time
from collections.abc import Iterator

import pytest

from appliance.phone.identity import Identity
from appliance.phone.query import plain
from appliance.wbxml.codec import decode, encode
from appliance.wbxml.codepages import (
    AirSync,
    ComposeMail,
    Email,
    FolderHierarchy,
    GetItemEstimate,
    ItemOperations,
    Move,
    Ping,
)
from appliance.wbxml.element import Element
from tests.e2e.conftest import BEN, MIA, PASSWORDS, Office
from tests.e2e.waiting import Waiting

ANSWER_S = 10.0
GIBIBYTE = 2**30
LETTER = b"From: sender@example.net\r\nSubject: still here\r\n\r\nhello\r\n"
GOOD = "Basic " + base64.b64encode(f"{MIA}:{PASSWORDS[MIA]}".encode()).decode()
WRONG = "Basic " + base64.b64encode(f"{MIA}:wrong".encode()).decode()
STRANGER = "Basic " + base64.b64encode(b"nobody@example.com:wrong").decode()
DEVICE = Identity("badinput")


def request(
    command: str,
    body: bytes = b"",
    *,
    method: str = "POST",
    credentials: str | None = GOOD,
    query: str | None = None,
    length: int | None = None,
    version: str = "16.1",
    content_type: str = "application/vnd.ms-sync.wbxml",
    **headers: str,
) -> bytes:
    """Return one HTTP request; `length` announces another one than the body has."""
    target = f"/Microsoft-Server-ActiveSync?{plain(command, MIA, DEVICE, {}) if query is None else query}"
    lines = [f"{method} {target} HTTP/1.1", "Host: mail.example.com", "Connection: close"]
    lines += [f"MS-ASProtocolVersion: {version}", "X-MS-PolicyKey: POLICY", f"Content-Type: {content_type}"]
    lines += [f"Authorization: {credentials}"] if credentials else []
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body) if length is None else length}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def speak(office: Office, raw: bytes, *, half_close: bool = False) -> tuple[int, dict[str, str], bytes]:
    """Send bytes to the plain listener; return status, headers and body. 0 when it just closes."""
    with socket.create_connection(("127.0.0.1", office.appliance.ports["http"]), timeout=ANSWER_S) as sock:
        try:
            sock.sendall(raw)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before the end of the body; the answer is there to be read
        received = bytearray()
        try:
            while piece := sock.recv(65_536):
                received += piece
        except ConnectionResetError:
            pass
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    if not head:
        return 0, {}, b""
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split()[1]), headers, body


def sync(key: str, folder: str) -> bytes:
    return encode(
        AirSync.Sync(
            AirSync.Collections(AirSync.Collection(AirSync.SyncKey(key), AirSync.CollectionId(folder)))
        )
    )


@pytest.fixture(scope="module")
def watcher(office: Office) -> Iterator[Waiting]:
    """A held Ping of the other user, which has to be asleep before and after everything here."""
    phone, inbox = office.ready_phone(BEN, device_id="sleeper")
    workers = [process.pid for process in office.appliance.processes()["web-worker"]]
    waiting = Waiting(phone, inbox, heartbeat_s=600)
    assert waiting.is_held()
    yield waiting
    assert waiting.is_held(0.1), f"the held Ping ended: {waiting.answer} {waiting.error}"
    assert [process.pid for process in office.appliance.processes()["web-worker"]] == workers
    office.deliver(LETTER, BEN)
    assert inbox in waiting.ended().folder_ids


@pytest.fixture(scope="module")
def policy_key(office: Office) -> str:
    phone, _ = office.ready_phone(MIA, device_id=DEVICE.device_id)
    return phone.session.policy_key


DEEP = bytes.fromhex("03016a00") + b"\x45" * 5000
HUGE_OPAQUE = bytes.fromhex("03016a0000154550c3") + b"\x8f\xff\xff\xff\x7f" + b"x"
NUL_IN_TEXT = bytes.fromhex("03016a000007565203") + b"0\x00\x00" + bytes.fromhex("0101")
PING = encode(
    Ping.Ping(Ping.HeartbeatInterval(60), Ping.Folders(Ping.Folder(Ping.Id("1"), Ping.Class("Email"))))
)
FOLDER_SYNC = encode(FolderHierarchy.FolderSync(FolderHierarchy.SyncKey("0")))

HTTP_TABLE = {
    "no credentials": (request("FolderSync", FOLDER_SYNC, credentials=None), 401),
    "wrong password": (request("FolderSync", FOLDER_SYNC, credentials=WRONG), 401),
    "unknown user": (request("FolderSync", FOLDER_SYNC, credentials=STRANGER), 401),
    "credentials that are not base64": (request("FolderSync", FOLDER_SYNC, credentials="Basic §§"), 401),
    "OPTIONS without credentials": (request("", method="OPTIONS", credentials=None, query=""), 401),
    "a command nobody knows": (request("Frobnicate"), 501),
    "no command": (request("", query="User=x&DeviceId=a1&DeviceType=iPhone"), 400),
    "no device id": (request("", query="Cmd=FolderSync&User=x&DeviceType=iPhone", version="12.1"), 400),
    "a query that looks like base64": (request("", query="AAAA"), 400),
    "a version that is none": (request("FolderSync", FOLDER_SYNC, version="sixteen"), 400),
    "another method": (request("FolderSync", FOLDER_SYNC, method="PUT"), 501),
    "a body that is announced too large": (request("FolderSync", b"", length=GIBIBYTE), 413),
    "a message that is announced too large": (request("SendMail", b"", length=GIBIBYTE), 413),
    "a negative length": (request("FolderSync", b"", length=-1), 400),
    "an unknown coding": (request("FolderSync", FOLDER_SYNC, Content_Encoding="br"), 415),
    "gzip that is none": (request("FolderSync", FOLDER_SYNC, Content_Encoding="gzip"), 400),
    "a gzip bomb": (
        request("SendMail", gzip.compress(bytes(200_000_000), 9), Content_Encoding="gzip"),
        413,
    ),
    "a NUL in a header": (request("FolderSync", FOLDER_SYNC, X_Note="a\0b"), 400),
    "a head without end": (b"POST /Microsoft-Server-ActiveSync HTTP/1.1\r\n" + b"X: y\r\n" * 100_000, 431),
    "no HTTP at all": (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
    "both lengths": (
        request("FolderSync", b"0\r\n\r\n", Transfer_Encoding="chunked"),
        400,
    ),
}

STATUS_TABLE = {
    "broken WBXML": ("FolderSync", b"\x03\x01\x6a\x00\xff\xff", 102),
    "XML instead of WBXML": ("FolderSync", b"<FolderSync/>", 102),
    "five thousand levels": ("FolderSync", DEEP, 102),
    "four gigabytes announced inside": ("SendMail", HUGE_OPAQUE, 102),
    "a NUL behind a text": ("FolderSync", NUL_IN_TEXT, 102),
    "the document of another command": ("FolderSync", PING, 10),
    "a hierarchy key nobody gave out": (
        "FolderSync",
        encode(FolderHierarchy.FolderSync(FolderHierarchy.SyncKey("12345"))),
        9,
    ),
}


@pytest.mark.parametrize("name", HTTP_TABLE)
def test_the_http_status(office: Office, watcher: Waiting, policy_key: str, name: str) -> None:
    raw, expected = HTTP_TABLE[name]
    status, headers, body = speak(office, raw.replace(b"POLICY", policy_key.encode()))
    assert status == expected
    assert b"Traceback" not in body
    if status == 401:
        assert headers["www-authenticate"].startswith("Basic ")
        assert "content-length" in headers


@pytest.mark.parametrize("name", STATUS_TABLE)
def test_the_status_of_the_command(office: Office, watcher: Waiting, policy_key: str, name: str) -> None:
    command, body, expected = STATUS_TABLE[name]
    assert status_of(office, policy_key, command, body) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Cmd=FolderSync&User=x&DeviceType=iPhone", 108),
        ("Cmd=FolderSync&DeviceId=a%00b&DeviceType=iPhone", 108),
        ("Cmd=FolderSync&DeviceId=a1", 109),
    ],
)
def test_a_device_without_a_name(office: Office, watcher: Waiting, query: str, expected: int) -> None:
    status, _, answer = speak(office, request("", FOLDER_SYNC, query=query))
    assert (status, [child.text for child in decode(answer)]) == (200, [str(expected)])


@pytest.mark.parametrize(("command", "expected"), [("Ping", 3), ("Sync", 13)])
def test_an_empty_request_without_anything_cached(
    office: Office, watcher: Waiting, command: str, expected: int
) -> None:
    query = plain(command, MIA, Identity("nothingcached"), {})
    status, _, answer = speak(office, request(command, query=query).replace(b"POLICY", b"0"))
    (found,) = [child for child in decode(answer) if child.tag.name == "Status"]
    assert (status, int(found.text)) == (200, expected)


def ask(office: Office, policy_key: str, command: str, body: bytes) -> Element:
    """Return the document a provisioned phone gets."""
    status, _, answer = speak(office, request(command, body).replace(b"POLICY", policy_key.encode()))
    assert status == 200
    return decode(answer)


def status_of(office: Office, policy_key: str, command: str, body: bytes) -> int:
    """Return the Status in the root of the answer."""
    document = ask(office, policy_key, command, body)
    (found,) = [child for child in document if child.tag.name == "Status"]
    return int(found.text)


def collection_status(office: Office, policy_key: str, body: bytes) -> int:
    """Return the Status of the one collection, or of the whole Sync when there is none."""
    document = ask(office, policy_key, "Sync", body)
    collections = document.find(AirSync.Collections)
    if collections is None:
        return int(document.require(AirSync.Status).text)
    return int(collections.require(AirSync.Collection).require(AirSync.Status).text)


def test_keys_and_ids_nobody_gave_out(office: Office, watcher: Waiting, policy_key: str) -> None:
    _, inbox = office.ready_phone(MIA)
    assert collection_status(office, policy_key, sync("999999", inbox)) == 3
    assert collection_status(office, policy_key, sync("0", "987654")) in (8, 12)
    assert collection_status(office, policy_key, sync("1", "../../etc/passwd")) in (3, 8, 12)
    assert collection_status(office, policy_key, sync("-1", inbox)) == 3
    assert collection_status(office, policy_key, sync("9" * 500, inbox)) in (3, 4), "longer than a key can be"


def test_another_users_items_do_not_exist(office: Office, watcher: Waiting, policy_key: str) -> None:
    reader, inbox = office.ready_phone(MIA, device_id="curious")
    office.deliver(LETTER, MIA)
    server_id = reader.sync(inbox).added[-1]
    stranger, _ = office.ready_phone(BEN, device_id="stranger")
    known = encode(fetch(inbox, server_id))
    invented = encode(fetch(inbox, server_id + "999"))
    answers = [
        decode(
            stranger.session.transport.request(
                "POST",
                f"/Microsoft-Server-ActiveSync?{plain('ItemOperations', BEN, stranger.session.identity, {})}",
                {
                    "Authorization": stranger.session.authorization(),
                    "MS-ASProtocolVersion": "16.1",
                    "X-MS-PolicyKey": stranger.session.policy_key,
                    "Content-Type": "application/vnd.ms-sync.wbxml",
                },
                body,
            ).body
        )
        for body in (known, invented)
    ]
    statuses = [
        answer.require(ItemOperations.Response).require(ItemOperations.Fetch).int_of(ItemOperations.Status)
        for answer in answers
    ]
    assert statuses[0] == statuses[1] != 1
    assert reader.fetch(inbox, server_id).body.endswith(b"hello\r\n")


def fetch(folder: str, item: str) -> Element:
    return ItemOperations.ItemOperations(
        ItemOperations.Fetch(
            ItemOperations.Store("Mailbox"), AirSync.CollectionId(folder), AirSync.ServerId(item)
        )
    )


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"POST /Microsoft-Server-ActiveSync?Cmd=Sy",
        request("SendMail", b"half of it", length=1000),
        request("Ping", PING),
    ],
    ids=["connects and leaves", "inside the head", "inside the body", "inside a held Ping"],
)
def test_clients_that_disappear_leave_nothing_behind(
    office: Office, watcher: Waiting, policy_key: str, raw: bytes
) -> None:
    """Ten of each; a socket closed with unread data resets, which is the rude way to go."""
    for linger in range(10):
        sock = socket.create_connection(("127.0.0.1", office.appliance.ports["http"]), timeout=ANSWER_S)
        if linger % 2:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.sendall(raw.replace(b"POLICY", policy_key.encode()))
        sock.close()
    status, _, _ = speak(office, request("", method="OPTIONS", query=""))
    assert status == 200


def cut_off(office: Office, raw: bytes) -> None:
    """Send a whole request again and again and go away, a little later each time, with a reset."""
    for number in range(10):
        with socket.create_connection(("127.0.0.1", office.appliance.ports["http"]), ANSWER_S) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.sendall(raw)
            time.sleep(number * 0.01)


def test_a_message_whose_sender_does_not_wait_is_sent_once(
    office: Office, watcher: Waiting, policy_key: str
) -> None:
    message = f"From: {MIA}\r\nTo: {MIA}\r\nSubject: impatient\r\n\r\nonce\r\n".encode()
    document = ComposeMail.SendMail(
        ComposeMail.ClientId("impatient"), ComposeMail.SaveInSentItems(), ComposeMail.Mime(message)
    )
    raw = request("SendMail", encode(document)).replace(b"POLICY", policy_key.encode())
    cut_off(office, raw)
    status, _, answer = speak(office, raw)
    assert status == 200
    assert not answer or decode(answer).require(ComposeMail.Status).text == "118"
    phone, inbox = office.ready_phone(MIA, device_id="afterwards")
    sent = phone.mailbox.of_type("5")
    assert sent is not None
    phone.sync(sent.id)
    for folder in (inbox, sent.id):
        items = phone.mailbox.collection(folder).items.values()
        assert [item["Subject"] for item in items].count("impatient") == 1


def test_a_sync_whose_answer_nobody_reads_is_repeated_and_done_once(
    office: Office, watcher: Waiting, policy_key: str
) -> None:
    office.deliver(LETTER.replace(b"still here", b"half read"), MIA)
    _, inbox = office.ready_phone(MIA)

    def sync_with(key: str, *commands: Element) -> Element:
        collection = AirSync.Collection(
            AirSync.SyncKey(key),
            AirSync.CollectionId(inbox),
            AirSync.Commands(list(commands)) if commands else None,
        )
        return AirSync.Sync(AirSync.Collections(collection))

    def key_of(answer: Element) -> str:
        return answer.require(AirSync.Collections).require(AirSync.Collection).text_of(AirSync.SyncKey, "")

    key = key_of(ask(office, policy_key, "Sync", encode(sync_with("0"))))
    told = ask(office, policy_key, "Sync", encode(sync_with(key)))
    added = (
        told.require(AirSync.Collections).require(AirSync.Collection).require(AirSync.Commands).children[0]
    )
    server_id = added.text_of(AirSync.ServerId, "")
    data = AirSync.ApplicationData(Email.Read(1))
    change = encode(sync_with(key_of(told), AirSync.Change(AirSync.ServerId(server_id), data)))
    cut_off(office, request("Sync", change).replace(b"POLICY", policy_key.encode()))
    first = ask(office, policy_key, "Sync", change)
    assert ask(office, policy_key, "Sync", change) == first, "the same request gets the same answer"
    collection = first.require(AirSync.Collections).require(AirSync.Collection)
    assert collection.text_of(AirSync.Status) == "1"
    other, inbox = office.ready_phone(MIA, device_id="looks")
    assert other.mailbox.collection(inbox).items[server_id]["Read"] == "1"


@pytest.mark.parametrize(
    "raw",
    [b"\0\0\0\0\r\n", b"EHLO x\0y\r\n", b"MAIL FROM:<\0@example.net>\r\n", b"\xff" * 100_000 + b"\r\n"],
    ids=["NUL", "NUL in EHLO", "NUL in a path", "a line of 100 kB"],
)
def test_smtp_refuses_rubbish_and_goes_on(office: Office, watcher: Waiting, raw: bytes) -> None:
    with socket.create_connection(("127.0.0.1", office.appliance.ports["smtp"]), timeout=ANSWER_S) as sock:
        assert sock.recv(1000).startswith(b"220")
        sock.sendall(raw)
        assert sock.recv(1000)[:1] in (b"4", b"5")
    office.deliver(LETTER, MIA)


def test_requests_that_mean_nothing_in_other_commands(
    office: Office, watcher: Waiting, policy_key: str
) -> None:
    estimate = encode(
        GetItemEstimate.GetItemEstimate(
            GetItemEstimate.Collections(
                GetItemEstimate.Collection(AirSync.SyncKey("77"), GetItemEstimate.CollectionId("987654"))
            )
        )
    )
    status, _, answer = speak(
        office, request("GetItemEstimate", estimate).replace(b"POLICY", policy_key.encode())
    )
    assert status == 200
    found = decode(answer).require(GetItemEstimate.Response).int_of(GetItemEstimate.Status)
    assert found in (2, 4)
    move = encode(
        Move.MoveItems(Move.Move(Move.SrcMsgId("x"), Move.SrcFldId("987654"), Move.DstFldId("987655")))
    )
    assert ask(office, policy_key, "MoveItems", move).require(Move.Response).int_of(Move.Status) in (1, 2)
