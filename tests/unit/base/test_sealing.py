"""Secrets at rest: they open where they belong, with the key they were sealed with, and nowhere else."""

import stat

import pytest

from appliance import sealing
from appliance.errors import Conflict


@pytest.fixture
def place(tmp_path):
    sealing.configure(tmp_path)
    return tmp_path


def test_what_was_sealed_opens_again_after_a_restart(place):
    sealed = sealing.seal(b"secret", "dkim:example.test:s1")
    sealing.configure(place)
    assert sealing.unseal(sealed, "dkim:example.test:s1") == b"secret"
    assert b"secret" not in sealed


def test_the_same_secret_never_looks_the_same(place):
    assert sealing.seal(b"secret", "a") != sealing.seal(b"secret", "a")


def test_the_key_is_the_owner_s(place):
    sealing.seal(b"", "a")
    assert stat.S_IMODE((place / "keys").stat().st_mode) == 0o700
    assert stat.S_IMODE((place / "keys" / sealing.FILE_NAME).stat().st_mode) == 0o600


def test_a_secret_does_not_open_in_another_context(place):
    with pytest.raises(Conflict, match="another key"):
        sealing.unseal(sealing.seal(b"secret", "route:a"), "route:b")


def test_a_secret_does_not_open_with_another_key(place, tmp_path_factory):
    sealed = sealing.seal(b"secret", "a")
    sealing.configure(tmp_path_factory.mktemp("other"))
    with pytest.raises(Conflict, match=r"restore keys/secrets\.key"):
        sealing.unseal(sealed, "a")


@pytest.mark.parametrize("bad", [b"", b"\x01", b"\x01short", b"\x02" + bytes(40)])
def test_what_was_never_sealed(place, bad):
    with pytest.raises(Conflict, match=r"not in a form|another key"):
        sealing.unseal(bad, "a")


@pytest.mark.parametrize("position", range(0, 35, 5))
def test_a_changed_bit_is_noticed(place, position):
    sealed = bytearray(sealing.seal(b"secret", "a"))
    sealed[position % len(sealed)] ^= 1
    with pytest.raises(Conflict):
        sealing.unseal(bytes(sealed), "a")


def test_a_key_file_that_holds_no_key(place):
    (place / "keys").mkdir()
    (place / "keys" / sealing.FILE_NAME).write_bytes(b"")
    with pytest.raises(Conflict, match="does not hold a key"):
        sealing.seal(b"secret", "a")
