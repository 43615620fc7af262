"""What our listeners offer under TLS, and how a renewed certificate comes into force."""

import os
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from appliance.net import tls
from appliance.net.tls import Certificate, server_context
from smtpd.tls import SERVER_CIPHERS
from tests.fixtures.certificate import trusting_anyone, write_pair

HOST = "mail.example.com"
CBC = "ECDHE-ECDSA-AES256-SHA384"
Pair = tuple[Path, Path]


class Handshake(NamedTuple):
    """What both sides have agreed on."""

    version: str | None
    cipher: str
    alpn: str | None
    certificate: bytes | None


def shake(server: ssl.SSLContext, client: ssl.SSLContext) -> Handshake:
    """Let two contexts agree in memory; raises SSLError when they cannot."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server)
    waiting = [theirs, ours]
    for _ in range(20):
        for side in list(waiting):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(side)
        if not waiting:
            cipher = theirs.cipher()
            assert cipher
            return Handshake(
                theirs.version(), cipher[0], theirs.selected_alpn_protocol(), theirs.getpeercert(True)
            )
    raise AssertionError("no end of the handshake")


def client(*, ciphers: str = "", at_most: ssl.TLSVersion | None = None, alpn: str = "") -> ssl.SSLContext:
    context = trusting_anyone()
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    if ciphers:
        context.set_ciphers(ciphers)
    if at_most is not None:
        context.maximum_version = at_most
    if alpn:
        context.set_alpn_protocols([alpn])
    return context


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return write_pair(tmp_path, HOST)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let the certificate's clock stand still; call it to go on by some seconds."""
    now = [1000.0]
    monkeypatch.setattr("appliance.net.tls.time.monotonic", lambda: now[0])

    def go_on(seconds: float) -> None:
        now[0] += seconds

    return go_on


def shown(certificate: Certificate) -> bytes:
    found = shake(certificate.context(), client()).certificate
    assert found
    return found


def test_current_versions(pair: Pair) -> None:
    assert shake(server_context(*pair), client()).version == "TLSv1.3"
    agreed = shake(server_context(*pair), client(at_most=ssl.TLSVersion.TLSv1_2))
    assert agreed.version == "TLSv1.2"
    assert agreed.cipher.startswith("ECDHE-")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_are_refused(pair: Pair) -> None:
    old = client(ciphers="ALL:@SECLEVEL=0", at_most=ssl.TLSVersion.TLSv1_1)
    with pytest.raises(ssl.SSLError):
        shake(server_context(*pair, ciphers="ALL:@SECLEVEL=0"), old)


@pytest.mark.parametrize("ciphers", [CBC, "AES256-GCM-SHA384", "eNULL:aNULL:@SECLEVEL=0"])
def test_only_forward_secrecy_with_aead(pair: Pair, ciphers: str) -> None:
    with pytest.raises(ssl.SSLError):
        shake(server_context(*pair), client(ciphers=ciphers, at_most=ssl.TLSVersion.TLSv1_2))


@pytest.mark.parametrize("ciphers", ["AES256-GCM-SHA384", "eNULL:aNULL:@SECLEVEL=0"])
def test_an_old_mail_server_gets_cbc_and_nothing_worse(pair: Pair, ciphers: str) -> None:
    server = server_context(*pair, ciphers=SERVER_CIPHERS)
    assert shake(server, client(ciphers=CBC, at_most=ssl.TLSVersion.TLSv1_2)).cipher == CBC
    with pytest.raises(ssl.SSLError):
        shake(server, client(ciphers=ciphers, at_most=ssl.TLSVersion.TLSv1_2))


def test_the_order_of_ciphers_is_ours(pair: Pair) -> None:
    backwards = client(ciphers=f"{CBC}:ECDHE-ECDSA-AES256-GCM-SHA384", at_most=ssl.TLSVersion.TLSv1_2)
    assert shake(server_context(*pair, ciphers=SERVER_CIPHERS), backwards).cipher.endswith("GCM-SHA384")


def test_the_application_protocol_is_named_only_where_there_is_one(pair: Pair) -> None:
    with_http = server_context(*pair, alpn=("http/1.1",))
    assert shake(with_http, client(alpn="http/1.1")).alpn == "http/1.1"
    assert shake(server_context(*pair), client(alpn="http/1.1")).alpn is None


def test_a_renewed_certificate_is_seen_after_a_second(
    pair: Pair, tmp_path: Path, clock: Callable[[float], None]
) -> None:
    certificate = Certificate(*pair)
    before = shown(certificate)
    write_pair(tmp_path, HOST)
    clock(tls.LOOK_EVERY_S / 2)
    assert shown(certificate) == before, "looked at more than once a second"
    clock(tls.LOOK_EVERY_S / 2)
    assert shown(certificate) != before


def test_an_unchanged_certificate_is_not_loaded_again(pair: Pair, clock: Callable[[float], None]) -> None:
    certificate = Certificate(*pair)
    context = certificate.context()
    clock(10 * tls.LOOK_EVERY_S)
    assert certificate.context() is context


def test_reload_does_not_wait_nor_trust_the_files_looks(
    pair: Pair, tmp_path: Path, clock: Callable[[float], None]
) -> None:
    chain, _ = pair
    certificate = Certificate(*pair)
    before, context = shown(certificate), certificate.context()
    certificate.reload()
    assert certificate.context() is not context
    looks = chain.stat()
    fresh = write_pair(tmp_path, HOST)
    for path in fresh:
        os.utime(path, ns=(looks.st_atime_ns, looks.st_mtime_ns))
    certificate.reload()
    assert shown(certificate) != before


@pytest.mark.parametrize("broken", ["cert.pem", "key.pem"])
@pytest.mark.parametrize("content", [None, "-----BEGIN CERTIFICATE-----\nhalf", ""])
def test_half_a_pair_leaves_the_old_one_in_force(
    pair: Pair, tmp_path: Path, clock: Callable[[float], None], broken: str, content: str | None
) -> None:
    certificate = Certificate(*pair)
    before = shown(certificate)
    whole = (tmp_path / broken).read_bytes()
    if content is None:
        (tmp_path / broken).unlink()
    else:
        (tmp_path / broken).write_text(content)
    clock(tls.LOOK_EVERY_S)
    assert shown(certificate) == before
    certificate.reload()
    assert shown(certificate) == before
    (tmp_path / broken).write_bytes(whole)
    write_pair(tmp_path, HOST)
    clock(tls.LOOK_EVERY_S)
    assert shown(certificate) != before


def test_a_key_of_another_certificate_is_no_pair(
    pair: Pair, tmp_path: Path, clock: Callable[[float], None]
) -> None:
    certificate = Certificate(*pair)
    before = shown(certificate)
    (tmp_path / "other").mkdir()
    _, other = write_pair(tmp_path / "other", HOST)
    other.replace(tmp_path / "key.pem")
    clock(tls.LOOK_EVERY_S)
    assert shown(certificate) == before


def test_trouble_is_logged_once(
    pair: Pair, clock: Callable[[float], None], caplog: pytest.LogCaptureFixture
) -> None:
    certificate = Certificate(*pair)
    certificate.context()
    pair[1].write_text("half a key")
    for _ in range(5):
        clock(tls.LOOK_EVERY_S)
        certificate.context()
    pair[1].unlink()
    clock(tls.LOOK_EVERY_S)
    certificate.context()
    troubles = [text for text in caplog.messages if "certificate_not_loaded" in text]
    assert len(troubles) == 2, troubles


def test_without_a_certificate_there_is_no_context(tmp_path: Path, clock: Callable[[float], None]) -> None:
    certificate = Certificate(tmp_path / "cert.pem", tmp_path / "key.pem")
    with pytest.raises(OSError, match=r"cert\.pem: .*No such file"):
        certificate.context()
    write_pair(tmp_path, HOST)
    clock(tls.LOOK_EVERY_S)
    assert shown(certificate)
