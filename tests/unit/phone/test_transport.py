"""The phone's HTTP: connections, trust, deadlines, and answers that get lost on purpose."""

import datetime
import gzip
import hashlib
import ssl
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from appliance.phone import transport
from appliance.phone.errors import LostResponse, ProtocolError, TransportError
from appliance.phone.transport import Lose, Transport, Trust, normal_fingerprint
from tests.unit.phone.scripted import Said, ScriptedServer


def post(phone: Transport, body: bytes = b"question", **how: object) -> bytes:
    return phone.request("POST", "/x", {"X-Test": "1"}, body, **how).body  # type: ignore[arg-type]


def test_two_requests_use_one_connection() -> None:
    with ScriptedServer(b"one", b"two") as server:
        phone = Transport(server.url)
        assert [post(phone), post(phone)] == [b"one", b"two"]
        assert len({request.client_port for request in server.asked}) == 1
        phone.close()


def test_a_connection_the_server_closed_is_replaced_before_use() -> None:
    with ScriptedServer(Said(b"one", close=True), b"two") as server:
        phone = Transport(server.url)
        assert post(phone) == b"one"
        time.sleep(0.05)  # the close has to arrive; the answer did not announce it
        assert post(phone) == b"two"
        assert len(server.asked) == 2


def test_an_answer_that_closes_the_connection_is_read_to_its_end() -> None:
    raw = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nwhole"
    with ScriptedServer(Said(raw=raw, close=True)) as server:
        assert post(Transport(server.url)) == b"whole"


@pytest.mark.parametrize("lose", [Lose.ANSWER, Lose.CONNECTION])
def test_a_lost_answer_reaches_the_server_whole(lose: Lose) -> None:
    with ScriptedServer(b"answer") as server:
        with pytest.raises(LostResponse):
            post(Transport(server.url), lose=lose)
        for _ in range(100):
            if server.asked:
                break
            time.sleep(0.01)
        assert server.asked[0].body == b"question"


def test_a_lost_request_arrives_cut() -> None:
    with ScriptedServer(b"answer") as server:
        with pytest.raises(LostResponse):
            post(Transport(server.url), lose=Lose.REQUEST)
        for _ in range(100):
            if server.asked:
                break
            time.sleep(0.01)
        assert server.asked[0].body == b"ques"


def test_silence_ends_at_the_deadline() -> None:
    with ScriptedServer(Said(hang=True)) as server:
        started = time.monotonic()
        with pytest.raises(LostResponse, match="in time"):
            post(Transport(server.url), timeout_s=0.2)
        assert time.monotonic() - started < 2


def test_a_server_that_closes_without_an_answer_is_a_lost_response() -> None:
    with (
        ScriptedServer(Said(raw=b"", close=True)) as server,
        pytest.raises(LostResponse, match="without an answer"),
    ):
        post(Transport(server.url))


def test_nobody_listens() -> None:
    with ScriptedServer() as server:
        url = server.url
    with pytest.raises(TransportError, match="cannot connect") as caught:
        post(Transport(url))
    assert not isinstance(caught.value, LostResponse)


def test_gzip_is_unpacked() -> None:
    with ScriptedServer(Said(gzip.compress(b"text" * 100), headers={"Content-Encoding": "gzip"})) as server:
        assert post(Transport(server.url)) == b"text" * 100


@pytest.mark.parametrize(
    ("packed", "words"),
    [
        (gzip.compress(b""), "must not be compressed"),
        (gzip.compress(b"text" * 100)[:-12], "cut short"),
        (b"not gzip at all", "cannot be unpacked"),
    ],
)
def test_bad_gzip_is_refused(packed: bytes, words: str) -> None:
    with (
        ScriptedServer(Said(packed, headers={"Content-Encoding": "gzip"})) as server,
        pytest.raises(ProtocolError, match=words),
    ):
        post(Transport(server.url))


def test_a_gzip_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "ANSWER_BYTES_MAX", 10_000)
    packed = gzip.compress(bytes(1_000_000))
    with (
        ScriptedServer(Said(packed, headers={"Content-Encoding": "gzip"})) as server,
        pytest.raises(ProtocolError, match="too large"),
    ):
        post(Transport(server.url))


def certificate(directory: Path) -> tuple[ssl.SSLContext, str]:
    """Return a server context with a fresh self-signed certificate, and its SHA-256."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.example.com")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pair = directory / "pair.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pair.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    return context, hashlib.sha256(made.public_bytes(serialization.Encoding.DER)).hexdigest()


def test_an_unknown_certificate_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    context, _ = certificate(tmp_path)
    with ScriptedServer(b"answer", tls=context) as server:
        with pytest.raises(TransportError, match="--fingerprint"):
            post(Transport(server.url))
        assert server.asked == []


def test_the_pinned_certificate_is_accepted(tmp_path: Path) -> None:
    context, fingerprint = certificate(tmp_path)
    with ScriptedServer(b"answer", b"again", tls=context) as server:
        phone = Transport(server.url, trust=Trust(fingerprint=fingerprint))
        assert [post(phone), post(phone)] == [b"answer", b"again"]


def test_another_certificate_than_the_pinned_one_gets_nothing(tmp_path: Path) -> None:
    context, fingerprint = certificate(tmp_path)
    with ScriptedServer(b"answer", tls=context) as server:
        with pytest.raises(TransportError, match=fingerprint):
            post(Transport(server.url, trust=Trust(fingerprint="0" * 64)))
        assert server.asked == []


def test_insecure_accepts_any_certificate(tmp_path: Path) -> None:
    context, _ = certificate(tmp_path)
    with ScriptedServer(b"answer", tls=context) as server:
        assert post(Transport(server.url, trust=Trust(insecure=True))) == b"answer"


@pytest.mark.parametrize(
    "text",
    ["AB" * 32, ":".join(["ab"] * 32), "sha256:" + "ab" * 32, "SHA256 Fingerprint=" + "AB:" * 31 + "AB"],
)
def test_fingerprints_are_read_in_the_forms_tools_print(text: str) -> None:
    assert normal_fingerprint(text) == "ab" * 32


@pytest.mark.parametrize("text", ["", "ab" * 20, "ab" * 33, "sha1:" + "ab" * 20])
def test_other_fingerprints_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="64 hex digits"):
        normal_fingerprint(text)


@pytest.mark.parametrize("url", ["ftp://mail.example.com", "mail.example.com", "https://"])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="not an http"):
        Transport(url)


def test_an_early_refusal_is_read() -> None:
    """A server may answer 413 and close while the body is still being sent."""
    with ScriptedServer(
        Said(raw=b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n", close=True)
    ) as server:
        answer = Transport(server.url).request("POST", "/x", {"Content-Type": "x"}, b"body")
        assert answer.status == 413
