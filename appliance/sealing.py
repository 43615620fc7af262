"""Secrets at rest: what the database holds of them is sealed with a key that lies beside it.

Owns `keys/secrets.key` (32 random bytes, readable by the owner only), made when it is first needed. A copy
of the database alone gives nothing away. Machines that share a database share this file.

A seal is bound to its context, such as "dkim:example.com:s1": a sealed value that is moved into another
row does not open there. Passwords of people are not kept at all, see `accounts.passwords`.

Source: RFC 5116 5.2 AEAD_AES_256_GCM (96-bit random nonces), RFC 5869 (HKDF, for keys of one purpose).
"""

import os
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from appliance import files
from appliance.errors import Conflict

FILE_NAME: Final = "secrets.key"
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
_VERSION: Final = b"\x01"

_directory: Path | None = None
_cipher: AESGCM | None = None
_derived: dict[str, bytes] = {}


def configure(data_dir: Path) -> None:
    """Say where the key lies; it is read, or made, at the first use."""
    global _directory, _cipher
    _directory, _cipher = data_dir / "keys", None
    _derived.clear()


def seal(secret: bytes, context: str) -> bytes:
    """Return a secret sealed for its context: one byte of version, the nonce, what AES-GCM makes of it."""
    nonce = os.urandom(NONCE_BYTES)
    return _VERSION + nonce + _key().encrypt(nonce, secret, context.encode())


def unseal(sealed: bytes, context: str) -> bytes:
    """Return what was sealed for this context. Raises Conflict when key, context or bytes are others."""
    head = len(_VERSION)
    nonce, box = sealed[head : head + NONCE_BYTES], sealed[head + NONCE_BYTES :]
    if sealed[:head] != _VERSION or len(nonce) != NONCE_BYTES:
        raise Conflict(f"the secret of {context} is not in a form this version knows")
    try:
        return _key().decrypt(nonce, box, context.encode())
    except InvalidTag:
        raise Conflict(
            f"the secret of {context} was sealed with another key: restore keys/{FILE_NAME} from a backup,"
            " or enter the secret again"
        ) from None


def derived(purpose: str) -> bytes:
    """Return a key of 32 bytes for one purpose; the same on every machine that shares the file."""
    if purpose not in _derived:
        info = f"appliance {purpose}".encode()
        _derived[purpose] = HKDF(SHA256(), KEY_BYTES, None, info).derive(_secret())
    return _derived[purpose]


def _key() -> AESGCM:
    global _cipher
    if _cipher is None:
        _cipher = AESGCM(_secret())
    return _cipher


def _secret() -> bytes:
    assert _directory is not None, "sealing.configure comes first"
    path = files.private_directory(_directory) / FILE_NAME
    key = files.create_once(path, os.urandom(KEY_BYTES), mode=0o600)
    if len(key) != KEY_BYTES:
        raise Conflict(f"{path} does not hold a key; restore it from a backup")
    return key
