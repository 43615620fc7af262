"""ValidateCert: whether mail signed with these certificates can be believed.

Each certificate gets its own Status. The check itself is `accounts.certificate_chain`, against what
`accounts.trust_anchors` finds; it runs on a native thread, all certificates in one go.

Revocation: nothing is fetched. Without CheckCRL an unknown status is ignored, as the specification wants;
with it the answer is 14 when the certificate says where one could ask, 16 when it does not, unless a list
of revoked certificates lies beside the trusted ones. Status 12 (another person's address) is never
said: a request does not name the sender the certificate should be for.

Source: MS-ASCMD 2.2.1.22 ValidateCert, 2.2.3.177.18 Status (ValidateCert), 2.2.3.26 CheckCRL.
"""

import binascii
import logging
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from cryptography import x509

from appliance import logs, offload
from appliance.accounts import certificate_chain, certificates, trust_anchors
from appliance.accounts.certificate_chain import Verdict
from appliance.eas.context import Context
from appliance.eas.status import ProtocolError
from appliance.errors import InvalidInput, TooLarge
from appliance.wbxml.codepages import ValidateCert
from appliance.wbxml.element import Element

CERTIFICATES_MAX = 100  # MS-ASCMD 3.1.5.10

log = logging.getLogger("appliance.eas")


class Status(IntEnum):
    """MS-ASCMD 2.2.3.177.18 Status (ValidateCert)."""

    SUCCESS = 1
    PROTOCOL_ERROR = 2
    BAD_SIGNATURE = 3
    UNTRUSTED = 4
    BROKEN_CHAIN = 5
    NOT_FOR_SIGNING_MAIL = 6
    OUT_OF_DATE = 7
    CHAIN_OUT_OF_DATE = 8
    MISUSED = 9
    UNREADABLE = 10
    WRONG_ROLE = 11
    WRONG_ADDRESS = 12
    REVOKED = 13
    REVOCATION_SERVER_UNREACHABLE = 14
    CHAIN_REVOKED = 15
    REVOCATION_UNKNOWN = 16
    UNKNOWN_ERROR = 17


STATUS_OF: Mapping[Verdict, Status] = {
    Verdict.VALID: Status.SUCCESS,
    Verdict.BAD_SIGNATURE: Status.BAD_SIGNATURE,
    Verdict.UNTRUSTED: Status.UNTRUSTED,
    Verdict.BROKEN_CHAIN: Status.BROKEN_CHAIN,
    Verdict.NOT_FOR_MAIL: Status.NOT_FOR_SIGNING_MAIL,
    Verdict.OUT_OF_DATE: Status.OUT_OF_DATE,
    Verdict.CHAIN_OUT_OF_DATE: Status.CHAIN_OUT_OF_DATE,
    Verdict.MISUSED: Status.MISUSED,
    Verdict.UNREADABLE: Status.UNREADABLE,
    Verdict.WRONG_ROLE: Status.WRONG_ROLE,
    Verdict.REVOKED: Status.REVOKED,
    Verdict.REVOCATION_UNREACHABLE: Status.REVOCATION_SERVER_UNREACHABLE,
    Verdict.CHAIN_REVOKED: Status.CHAIN_REVOKED,
    Verdict.REVOCATION_UNKNOWN: Status.REVOCATION_UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class _Request:
    """What is to be checked: certificates and those that may lie between them and an anchor, as sent."""

    certificates: Sequence[str]
    chain: Sequence[str]
    checks_revocation: bool
    now: datetime


def handle(context: Context, request: Element | None) -> Element:
    """Judge every certificate; what is wrong with one does not concern the others."""
    asked = _parse(request, context.now)
    statuses = offload.run(_judge, asked)
    logs.event(log, "certificates_judged", statuses=",".join(str(int(status)) for status in statuses))
    return ValidateCert.ValidateCert(
        ValidateCert.Status(Status.SUCCESS),
        [ValidateCert.Certificate(ValidateCert.Status(status)) for status in statuses],
    )


def _parse(request: Element | None, now: datetime) -> _Request:
    """Return what is asked; raises ProtocolError."""
    if request is None or request.tag is not ValidateCert.ValidateCert:
        raise ProtocolError(Status.PROTOCOL_ERROR, "not a ValidateCert document")
    wanted = _texts(request.find(ValidateCert.Certificates))
    chain = _texts(request.find(ValidateCert.CertificateChain))
    if not wanted:
        raise ProtocolError(Status.PROTOCOL_ERROR, "no Certificate to validate")
    if len(wanted) + len(chain) > CERTIFICATES_MAX:
        raise ProtocolError(Status.PROTOCOL_ERROR, f"more than {CERTIFICATES_MAX} certificates")
    check = request.text_of(ValidateCert.CheckCRL, "0")
    if check not in ("0", "1", ""):
        raise ProtocolError(Status.PROTOCOL_ERROR, "CheckCRL is 0 or 1")
    return _Request(wanted, chain, check != "0", now)


def _texts(block: Element | None) -> list[str]:
    return [] if block is None else [each.text for each in block.find_all(ValidateCert.Certificate)]


# --- on a native thread ---------------------------------------------------------------------------


def _judge(asked: _Request) -> list[Status]:
    anchors = trust_anchors.current()
    offered = [each for text in asked.chain if (each := _certificate(text)) is not None]
    return [_status(text, offered, anchors, asked) for text in asked.certificates]


def _status(
    text: str, offered: list[x509.Certificate], anchors: certificate_chain.Anchors, asked: _Request
) -> Status:
    certificate = _certificate(text)
    if certificate is None:
        return Status.UNREADABLE
    try:
        verdict = certificate_chain.check(
            certificate, offered, anchors, asked.now, needs_revocation=asked.checks_revocation
        )
    except Exception as error:  # noqa: BLE001 - the oddest certificate must not cost the others their answer
        logs.event(log, "certificate_check_failed", level=logging.ERROR, exc_info=error)
        return Status.UNKNOWN_ERROR
    if verdict is Verdict.UNTRUSTED and len(offered) < len(asked.chain):
        return Status.BROKEN_CHAIN  # what is missing may be what could not be read
    return STATUS_OF[verdict]


def _certificate(text: str) -> x509.Certificate | None:
    """Return the certificate in a base64 text, None when there is none in it."""
    if len(text) > 2 * certificates.SIZE_BYTES_MAX:
        return None
    try:
        return certificates.parse(b64decode("".join(text.split()), validate=True))
    except (binascii.Error, ValueError, InvalidInput, TooLarge):
        return None
