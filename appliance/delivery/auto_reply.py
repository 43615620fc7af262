"""Which messages a program must not answer: the restraint that keeps vacations from becoming storms.

Pure: header fields in, a reason out. Who was answered lately, and what is said, is `oof`.

Source: RFC 3834 2 When (not) to send automatic responses; RFC 5230 4.5, 4.6 (addressed to oneself,
never to lists); MS-OXCMAIL 2.1.3.2.20 (X-Auto-Response-Suppress).
"""

import re
from collections.abc import Collection

from appliance.accounts import addresses
from appliance.errors import InvalidInput
from appliance.mime.headers import Headers

_LIST_FIELDS = (
    "List-Id", "List-Help", "List-Subscribe", "List-Unsubscribe", "List-Post", "List-Owner", "List-Archive",
    "List-Unsubscribe-Post", "Mailing-List", "X-Mailing-List",
)  # fmt: skip
_BULK = frozenset({"bulk", "list", "junk"})
_ANSWERING_MACHINES = ("X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Auto-Reply")
_SUPPRESSING = frozenset({"all", "oof", "autoreply"})
_RECIPIENT_FIELDS = ("To", "Cc", "Bcc", "Resent-To", "Resent-Cc", "Resent-Bcc")
_NOBODY = re.compile(
    r"mailer-daemon|postmaster|listserv|majordomo|mailman|daemon|nobody|root|bounces?(?:[-+=].*)?"
    r"|owner-.*|.*-(?:owner|request|bounces?|errors|relay)(?:[+=].*)?"
    r"|(?:.*[-._+])?(?:no|do[-._]?not)[-._]?reply(?:[-._+=].*)?",
    re.I,
)


def refusal(headers: Headers, sender: str, own: Collection[str]) -> str | None:
    """Return why a message gets no automatic answer, None when it may have one.

    sender: the reverse-path, normalised, "" for the null one. own: the addresses of whoever would
    answer, normalised.
    """
    if not sender:
        return "null_sender"
    if addresses.base_address(sender) in own:
        return "own"
    if _NOBODY.fullmatch(sender.rpartition("@")[0]):
        return "nobody_there"
    if _keyword(headers.raw("Auto-Submitted")) not in ("", "no"):
        return "automatic"
    if any(name in headers for name in _ANSWERING_MACHINES):
        return "automatic"
    if any(name in headers for name in _LIST_FIELDS):
        return "list"
    if _keyword(headers.raw("Precedence")) in _BULK:
        return "bulk"
    if not _SUPPRESSING.isdisjoint(_words(headers.raw("X-Auto-Response-Suppress"))):
        return "suppressed"
    if headers.parameters("Content-Type")[0] == "multipart/report":
        return "report"
    if _keyword(headers.raw("X-Spam-Flag")) == "yes":
        return "spam"
    return None if addressed(headers, own) else "not_addressed"


def addressed(headers: Headers, own: Collection[str]) -> str | None:
    """Return which of these addresses a message names as a recipient, the first one; None for none.

    Whoever is not named got it through a list or an alias that lies elsewhere, or in secret (Bcc).
    """
    for field in _RECIPIENT_FIELDS:
        for named in headers.addresses(field):
            try:
                address = addresses.base_address(addresses.normalise(named.address))
            except InvalidInput:
                continue
            if address in own:
                return address
    return None


def _keyword(value: str | None) -> str:
    """Return the first word of a field in lower case, without comments and parameters."""
    return (value or "").partition(";")[0].partition("(")[0].strip().lower()


def _words(value: str | None) -> set[str]:
    return {word.strip().lower() for word in (value or "").split(",")}
