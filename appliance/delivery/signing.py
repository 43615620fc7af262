"""Who answers for a message that leaves: its DKIM signatures, by the domain of its author.

A message is signed when it is relayed, not when it is written: reports, automatic answers and forwarded
mail leave by the same door, a new key is used from the next attempt on, and what stays here needs no
signature.

The domain is that of From when it is ours, or the nearest of ours above it (reports come from the host's own
name). What came from outside and is only passed on (forwarded, or through a group) is signed for the domain
of its reverse-path, and not at all when it says that it is from one of ours: who wrote it is not known, and
we would vouch for a forger. What nobody of ours answers for is not signed. Nothing that goes wrong here holds
a message up.

Source: RFC 6376 5.1 (who may sign), RFC 7489 3.1.1 (alignment).
"""

import logging
from datetime import datetime
from typing import Final

from appliance import db, logs, offload
from appliance.accounts import addresses
from appliance.delivery.editions import DELIVERED_TO
from appliance.domains import dkim_keys
from appliance.errors import ApplianceError, InvalidInput
from appliance.mailauth.signer import SigningKey, signatures
from appliance.metrics import counter
from appliance.mime.headers import parse_headers

log = logging.getLogger("appliance.mail")
SIGNED = counter("appliance_dkim_signed_total", "Messages to other servers by what signed them.", ["outcome"])

OFFLOAD_BYTES_MIN: Final = 262_144
LABELS_MAX: Final = 10


def signature(raw: bytes, reverse_path: str, now: datetime, *, is_submitted: bool) -> bytes:
    """Return the fields to put in front of a message that is relayed; b"" when it is not signed. Blocks.

    is_submitted: one of our users sent it, who had to sign in.
    """
    try:
        keys = _keys(raw, reverse_path, is_submitted)
        if len(raw) >= OFFLOAD_BYTES_MIN:
            made = offload.run(signatures, raw, keys, now)
        else:
            made = signatures(raw, keys, now)
    except ApplianceError as error:
        SIGNED.labels("failed").inc()
        logs.event(log, "not_signed", level=logging.ERROR, error=error)
        return b""
    SIGNED.labels("signed" if made else "no_key").inc()
    return made


def _keys(raw: bytes, reverse_path: str, is_submitted: bool) -> list[SigningKey]:
    headers = parse_headers(raw)
    author = headers.addresses("From", 1)
    is_passed_on = not is_submitted and DELIVERED_TO in headers
    with db.connection():
        of_author = _of(author[0].address if author else "")
        if is_passed_on:
            return [] if of_author else _of(reverse_path)
        return of_author or _of(reverse_path)


def _of(address: str) -> list[SigningKey]:
    """Return the keys of an address's domain, or of the nearest above it that has some."""
    try:
        labels = addresses.normalise_host(address.rpartition("@")[2]).split(".")
    except InvalidInput:
        return []
    above = range(max(len(labels) - LABELS_MAX, 0), len(labels) - 1)
    found = (dkim_keys.signing_keys(".".join(labels[start:])) for start in above)
    return next((keys for keys in found if keys), [])
