"""Where trust comes from: the system's bundle and the office's own folder, read again when changed."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from appliance.accounts import trust_anchors
from tests.fakes.pki import authority, issue, revoke

ROOT, OTHER = issue(authority("root")), issue(authority("other"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of trusted files, and no system."""
    monkeypatch.setattr(trust_anchors, "_system_bundle", lambda: None)
    made = tmp_path / "tls" / "trusted"
    made.mkdir(parents=True)
    trust_anchors.configure(tmp_path)
    yield made
    monkeypatch.setattr(trust_anchors, "_directory", None)
    monkeypatch.setattr(trust_anchors, "_known", None)


def trusted() -> set[str]:
    found = trust_anchors.current()
    return {each.subject.rfc4514_string() for group in found.by_subject.values() for each in group}


def test_an_empty_folder_or_none_trusts_nobody(folder: Path, tmp_path: Path) -> None:
    assert trusted() == set()
    trust_anchors.configure(tmp_path / "nowhere")
    assert trusted() == set()


def test_files_are_read_again_when_they_change(folder: Path) -> None:
    (folder / "office.pem").write_bytes(ROOT.pem)
    assert trusted() == {"CN=root"}
    assert trust_anchors.current() is trust_anchors.current()
    (folder / "office.pem").write_bytes(ROOT.pem + b"a comment\n" + OTHER.pem)
    assert trusted() == {"CN=root", "CN=other"}
    (folder / "office.pem").unlink()
    assert trusted() == set()


def test_one_unreadable_file_does_not_take_the_others_with_it(folder: Path) -> None:
    (folder / "a.pem").write_bytes(b"-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    (folder / "b.pem").write_bytes(ROOT.pem)
    (folder / "c.crl").write_bytes(b"nonsense")
    (folder / "d.pem").mkdir()
    (folder / "e.txt").write_bytes(OTHER.pem)
    assert trusted() == {"CN=root"}


@pytest.mark.parametrize("form", [Encoding.DER, Encoding.PEM])
def test_lists_of_revoked_ones_lie_beside(folder: Path, form: Encoding) -> None:
    (folder / "root.crl").write_bytes(revoke(ROOT, OTHER).public_bytes(form))
    (found,) = trust_anchors.current().revocations
    assert found.get_revoked_certificate_by_serial_number(OTHER.certificate.serial_number) is not None


def test_the_system_s_bundle_counts(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = tmp_path / "bundle.crt"
    bundle.write_bytes(OTHER.pem)
    os.utime(bundle, (1, 1))
    monkeypatch.setattr(trust_anchors, "_system_bundle", lambda: bundle)
    (folder / "office.pem").write_bytes(ROOT.pem)
    assert trusted() == {"CN=root", "CN=other"}


def test_this_machine_s_own_bundle_can_be_read() -> None:
    bundle = trust_anchors._system_bundle()
    if bundle is None:
        pytest.skip("no certificate bundle is installed")
    assert len(trust_anchors._read([bundle]).der) > 10
