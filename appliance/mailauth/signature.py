"""The verification that DKIM and ARC share: dkimpy's canonical header, our keys and our body digests.

`Verifying` is mixed into dkimpy's classes and takes the place of the step that looks up the key, hashes
the body and compares the signature, so that nothing here waits and every outcome has its reason.
"""

import base64
import binascii
import logging
import re
from typing import Any

import dkim  # type: ignore[import-untyped]
from dkim.canonicalization import (  # type: ignore[import-untyped]
    CanonicalizationPolicy,
    InvalidCanonicalizationPolicyError,
)

from appliance.mailauth.keys import KeyProblem, KeyRecords, public_key, record_name
from appliance.mailauth.letter import Letter

FIELD_BYTES_MAX = 8_192
"""Of one signature field. dkimpy's patterns take quadratic time on blanks; real ones have 2,000 bytes."""
SILENT = logging.Logger("silent", logging.CRITICAL + 1)

_SPACE = re.compile(rb"\s+")
_ALGORITHMS = {b"rsa-sha256": "rsa", b"ed25519-sha256": "ed25519"}
_DIGITS = re.compile(rb"[0-9]{1,12}")


class Unacceptable(dkim.DKIMException):  # type: ignore[misc]
    """The signature does not count; `result` is the word for it (RFC 8601 2.7.1)."""

    def __init__(self, result: str, reason: str) -> None:
        super().__init__(reason)
        self.result = result
        self.reason = reason


class Verifying:
    """Mixin for dkim.DKIM and dkim.ARC; set `letter` and `records` before `verify`."""

    letter: Letter
    records: KeyRecords

    def verify_sig(self, sig: dict[bytes, bytes], include: list[bytes], header: Any, _dnsfunc: Any) -> bool:
        """Return True for a good signature; raises Unacceptable, dkim.DKIMException."""
        name = record_name(text(sig[b"s"]), text(sig[b"d"]))
        algorithm = _ALGORITHMS.get(sig.get(b"a", b""))
        if algorithm is None:
            raise Unacceptable("permerror", "algorithm not acceptable")  # RFC 8301 3.1: no SHA-1
        try:
            key = public_key(name, self.records)
        except KeyProblem as problem:
            raise Unacceptable(problem.result, problem.reason) from None
        if key.algorithm != algorithm:
            raise Unacceptable("permerror", "key of another kind")
        _check_identity(sig, key.is_strict)
        self._check_body(sig)
        without_body = {tag: value for tag, value in sig.items() if tag != b"bh"}
        # dkimpy calls `verify` of whatever object stands for an Ed25519 key, and takes no answer.
        self.pk, self.ktag, self.keysize = key, b"ed25519", 256
        self.verify_sig_process(without_body, include, header, None)  # type: ignore[attr-defined]
        if not key.is_valid:
            raise Unacceptable("fail", "signature does not match")
        return True

    def _check_body(self, sig: dict[bytes, bytes]) -> None:
        """Compare the body's digest; a signature for a part of it does not count. Raises Unacceptable."""
        if b"bh" not in sig:
            return
        try:
            policy = CanonicalizationPolicy.from_c_value(sig.get(b"c", b"simple/simple"))
        except InvalidCanonicalizationPolicyError:
            raise Unacceptable("permerror", "unknown canonicalisation") from None
        is_relaxed = policy.body_algorithm.name == b"relaxed"
        whole = self.letter.body_length(is_relaxed=is_relaxed)
        length = int(sig[b"l"]) if _DIGITS.fullmatch(sig.get(b"l", b"")) else whole
        if length != whole:
            reason = "body is longer than what was signed" if length < whole else "body is not all here"
            raise Unacceptable("policy" if length < whole else "fail", reason)
        try:
            wanted = base64.b64decode(_SPACE.sub(b"", sig[b"bh"]))
        except binascii.Error:
            raise Unacceptable("permerror", "body hash cannot be read") from None
        if self.letter.body_digest(is_relaxed=is_relaxed) != wanted:
            raise Unacceptable("fail", "body hash does not match")


def _check_identity(sig: dict[bytes, bytes], is_strict: bool) -> None:
    """Source: RFC 6376 3.6.1, flag s."""
    domain = text(sig.get(b"i", b"")).rpartition("@")[2]
    if is_strict and domain and domain.lower() != text(sig[b"d"]).lower():
        raise Unacceptable("permerror", "identity below the key's domain")


def text(octets: bytes) -> str:
    """Return a tag's value as text, whatever is in it."""
    return octets.decode("utf-8", "replace")
