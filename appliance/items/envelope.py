"""The SMTP envelope of a message, and what is known of the session that brought it.

Source: RFC 5321 2.3.1 Mail Objects; RFC 3461 4 (parameters of MAIL and RCPT), RFC 8689 2 (REQUIRETLS).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RecipientWishes:
    """What the sender wants to hear of one recipient (RFC 3461 4.1, 4.2).

    notify: "" when nothing was said, "NEVER", or some of SUCCESS, FAILURE and DELAY joined by commas.
    orcpt: the parameter as it came ("rfc822;carl@example.org", xtext), "" for none.
    """

    notify: str = ""
    orcpt: str = ""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the sender asked for besides delivery; to be kept and passed on with the message.

    ret: "FULL", "HDRS" or "". envid: xtext as it came. requires_tls: RFC 8689, never over a connection
    that is not TLS to a verified server. recipients: by forward path, as accepted.
    """

    ret: str = ""
    envid: str = ""
    requires_tls: bool = False
    recipients: Mapping[str, RecipientWishes] = field(default_factory=dict)

    def of(self, forward_path: str) -> RecipientWishes:
        """Return the wishes for one recipient."""
        return self.recipients.get(forward_path, RecipientWishes())


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Who a message is from and for, apart from what its header says.

    reverse_path: "" for the null reverse-path. forward_paths: as accepted, in order. body: "7BIT" or
    "8BITMIME". protocol: the `with` keyword of the Received field (RFC 3848), such as "ESMTPS".
    account_id: the authenticated submitter, None on reception. is_junk: the checks on reception say that it
    belongs into the junk folders. is_disowned: because whoever it says it is from would not have it believed;
    no wish of a recipient changes that. is_sender_doubtful: they say that the reverse-path may be somebody
    else's, so that no report must go there.
    """

    reverse_path: str
    forward_paths: tuple[str, ...]
    received_at: datetime
    smtputf8: bool = False
    body: str = "7BIT"
    size_declared: int | None = None
    client_ip: str = ""
    client_port: int = 0
    helo: str = ""
    protocol: str = "ESMTP"
    tls: str = ""
    account_id: int | None = None
    wishes: Wishes = field(default_factory=Wishes)
    is_junk: bool = False
    is_disowned: bool = False
    is_sender_doubtful: bool = False
