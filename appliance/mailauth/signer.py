"""DKIM signatures on what leaves: the header fields that say who answers for a message. Pure.

Owns which fields are signed and what the signature looks like. Keys are loaded once and handed in
(`delivery.signing`): parsing a private key costs far more than signing with it.

Fields that change the meaning of a message for its reader are signed once more often than they occur, so
that nobody can put another From or Subject in front of the signed one.

Source: RFC 6376 3.5 (the field), 3.7 (hashes), 5.4 (what to sign), 8.15 (fields that were not there);
RFC 8463 (Ed25519).
"""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from appliance.mailauth.canonical import as_sent, header_fields, relaxed_field
from appliance.mailauth.letter import Letter

RSA, ED25519 = "rsa-sha256", "ed25519-sha256"
ALGORITHMS: Final = (RSA, ED25519)
RSA_BITS: Final = 2048  # longer ones do not fit into what some DNS panels take

OVERSIGNED: Final = ("from", "reply-to", "to", "cc", "subject", "date", "message-id", "content-type")
SIGNED: Final = (
    *OVERSIGNED,
    "sender", "in-reply-to", "references", "mime-version", "content-transfer-encoding", "content-id",
    "content-description", "resent-date", "resent-from", "resent-to", "resent-cc", "list-id", "list-help",
    "list-post", "list-owner", "list-archive", "list-subscribe", "list-unsubscribe",
    "list-unsubscribe-post", "auto-submitted",
)  # fmt: skip
_LINE_LENGTH: Final = 72

type PrivateKey = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key and its place in DNS: `<selector>._domainkey.<domain>`, in A-labels."""

    domain: str
    selector: str
    key: PrivateKey

    @property
    def algorithm(self) -> str:
        """The `a=` of signatures made with it."""
        return RSA if isinstance(self.key, rsa.RSAPrivateKey) else ED25519


def generate(algorithm: str) -> PrivateKey:
    """Return a new key. An RSA key takes a tenth of a second of a processor, and sometimes a whole one."""
    if algorithm == ED25519:
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65_537, key_size=RSA_BITS)


def load(der: bytes) -> PrivateKey:
    """Return a key from PKCS #8 DER. Raises ValueError for any other."""
    key = serialization.load_der_private_key(der, None)
    if not isinstance(key, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
        raise ValueError("neither an RSA nor an Ed25519 key")
    return key


def dump(key: PrivateKey) -> bytes:
    """Return a key as PKCS #8 DER, not encrypted."""
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption())


def record(key: PrivateKey) -> str:
    """Return the TXT record under which others find the public key. Source: RFC 6376 3.6.1, RFC 8463 4."""
    if isinstance(key, rsa.RSAPrivateKey):
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        public, kind = key.public_key().public_bytes(serialization.Encoding.DER, form), "rsa"
    else:
        public, kind = key.public_key().public_bytes_raw(), "ed25519"
    return f"v=DKIM1; k={kind}; p={base64.b64encode(public).decode()}"


def signatures(raw: bytes, keys: Sequence[SigningKey], now: datetime) -> bytes:
    """Return a DKIM-Signature field for each key, with CRLFs, to be put in front of the message.

    raw: as it will be sent, but for line ends, which may be any. Linear; seconds for hundreds of megabytes.
    """
    if not keys:
        return b""
    letter = Letter(as_sent(raw))
    body_hash = base64.b64encode(letter.body_digest(is_relaxed=True)).decode()
    names, chosen = _chosen(header_fields(letter.header))
    return b"".join(_signature(key, names, chosen, body_hash, now) for key in keys)


def _chosen(fields: Iterable[tuple[bytes, bytes]]) -> tuple[list[str], bytes]:
    """Return the names for `h=` and the canonical fields they stand for, in that order.

    The last of several fields of a name comes first (RFC 6376 5.4.2); a name that stands for no field
    adds nothing to what is signed and still forbids one.
    """
    by_name: dict[str, list[bytes]] = {}
    for written, value in fields:
        by_name.setdefault(written.decode("ascii").lower(), []).append(relaxed_field(written, value))
    names: list[str] = []
    chosen: list[bytes] = []
    for name in SIGNED:
        found = by_name.get(name, [])
        names += [name] * (len(found) + (name in OVERSIGNED))
        chosen += reversed(found)
    return names, b"".join(chosen)


def _signature(key: SigningKey, names: Sequence[str], chosen: bytes, body_hash: str, now: datetime) -> bytes:
    tags = (
        "v=1", f"a={key.algorithm}", "c=relaxed/relaxed", f"d={key.domain}", f"s={key.selector}",
        f"t={int(now.timestamp())}", f"h={':'.join(names)}", f"bh={body_hash}", "b=",
    )  # fmt: skip
    value = _folded(tags)
    unsigned = relaxed_field(b"dkim-signature", value.encode()).removesuffix(b"\r\n")
    made = base64.b64encode(_sign(key.key, chosen + unsigned)).decode()
    lines = [made[start : start + _LINE_LENGTH] for start in range(0, len(made), _LINE_LENGTH)]
    return f"DKIM-Signature: {value}{'\r\n\t'.join(['', *lines])}\r\n".encode()


def _sign(key: PrivateKey, data: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    return key.sign(hashlib.sha256(data).digest())  # RFC 8463 3: the hash is what is signed


def _folded(tags: Sequence[str]) -> str:
    """Return the tags as a field value in lines; `h=` is folded between its names."""
    lines = [""]
    for tag in tags:
        words = tag.replace(":", ":\0").split("\0") if tag.startswith("h=") else [tag]
        for number, word in enumerate(words):
            text = word if number < len(words) - 1 or tag is tags[-1] else f"{word};"
            space = "" if number or lines[-1] == "" else " "
            if len(lines[-1]) + len(space) + len(text) > _LINE_LENGTH and lines[-1]:
                lines.append(text)
            else:
                lines[-1] += space + text
    return "\r\n\t".join(lines)
