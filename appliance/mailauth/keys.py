"""Public keys of signers, as they are published in the DNS.

Source: RFC 6376 3.6.1 (the record), RFC 8301 (key sizes, no SHA-1), RFC 8463 (Ed25519).
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from appliance.mailauth.domains import normal

RSA_BITS_MIN = 1024  # RFC 8301 3.2
RSA_BITS_MAX = 8192  # beyond that one signature costs more than a message is worth
RECORD_CHARS_MAX = 8192
SELECTOR_CHARS_MAX = 127

type KeyRecords = Mapping[str, Sequence[str] | None]
"""What the DNS says under each name: records, none, or None when it could not be asked."""

_FOLDING = re.compile(r"\s+")


class KeyProblem(Exception):
    """The key cannot be used; `result` is the word for it (RFC 8601 2.7.1)."""

    def __init__(self, result: str, reason: str) -> None:
        super().__init__(reason)
        self.result = result
        self.reason = reason


class PublicKey:
    """One signer's key. `verify` notes its finding in `is_valid`: what dkimpy asks of a key object."""

    def __init__(self, record: Mapping[str, str]) -> None:
        """Read a record's tags; raises KeyProblem."""
        self.algorithm = record.get("k", "rsa").lower()
        self.is_strict = "s" in _list(record.get("t", ""))  # i= must be exactly d=
        self.is_valid = False
        self._key = self._load(record)

    def verify(self, digest: bytes, signature: bytes) -> None:
        """Compare a signature with a SHA-256 digest."""
        try:
            if isinstance(self._key, ed25519.Ed25519PublicKey):
                self._key.verify(signature, digest)
            else:
                self._key.verify(signature, digest, padding.PKCS1v15(), Prehashed(SHA256()))
        except InvalidSignature:
            self.is_valid = False
        else:
            self.is_valid = True

    def _load(self, record: Mapping[str, str]) -> ed25519.Ed25519PublicKey | rsa.RSAPublicKey:
        text = _FOLDING.sub("", record.get("p", ""))
        if not text:
            raise KeyProblem("permerror", "key revoked")
        try:
            data = base64.b64decode(text, validate=True)
            if self.algorithm == "ed25519":
                return ed25519.Ed25519PublicKey.from_public_bytes(data)
            key = load_der_public_key(data)
        except (binascii.Error, ValueError, TypeError, UnsupportedAlgorithm):
            raise KeyProblem("permerror", "key cannot be read") from None
        if self.algorithm != "rsa" or not isinstance(key, rsa.RSAPublicKey):
            raise KeyProblem("permerror", "key of an unknown kind")
        if not RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX:
            raise KeyProblem("permerror", f"key of {key.key_size} bits")
        return key


def record_name(selector: str, domain: str) -> str:
    """Return where the key of a selector is published, "" when there can be no such name."""
    if not selector or len(selector) > SELECTOR_CHARS_MAX or not normal(selector):
        return ""
    return f"{normal(selector)}._domainkey.{normal(domain)}" if normal(domain) else ""


def public_key(name: str, records: KeyRecords) -> PublicKey:
    """Return the key published under a name; raises KeyProblem.

    Of several records the first that is one is taken. Source: RFC 6376 3.6.2.2.
    """
    if not name:
        raise KeyProblem("permerror", "selector or domain is no name")
    found = records.get(name)
    if found is None:
        raise KeyProblem("temperror", "key could not be looked up")
    for text in found:
        tags = tag_list(text[:RECORD_CHARS_MAX])
        if tags.get("v", "DKIM1") == "DKIM1" and "p" in tags:
            return _usable(tags)
    raise KeyProblem("permerror", "no key")


def _usable(tags: Mapping[str, str]) -> PublicKey:
    if "h" in tags and "sha256" not in _list(tags["h"]):
        raise KeyProblem("permerror", "key not for SHA-256")
    if "s" in tags and not {"*", "email"} & _list(tags["s"]):
        raise KeyProblem("permerror", "key not for mail")
    return PublicKey(tags)


def tag_list(text: str) -> dict[str, str]:
    """Return the tags of `a=b; c=d`; of a repeated one the first; what is no tag is left out."""
    tags: dict[str, str] = {}
    for piece in text.split(";"):
        name, equals, value = piece.partition("=")
        if equals:
            tags.setdefault(name.strip().lower(), value.strip())
    return tags


def _list(text: str) -> set[str]:
    return {word.strip().lower() for word in text.split(":")}
