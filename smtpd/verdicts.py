"""What a server's reply means for the mail: delivered, later, never.

Owns the few replies that do not mean what their first digit says. Source: RFC 5321 4.2.1, 4.5.3.1.10;
RFC 3463; RFC 8689 4.2.1.
"""

from appliance.smtp.reply import Reply
from smtpd.outcome import Delivered, Failed, Outcome, Retry

REPLY_TEXT_MAX = 500
_ABOUT_US = frozenset({530, 534, 535, 538})
"""How we logged in or encrypted is wrong: an administrator puts it right, the mail is none the worse."""
_UNFIT = frozenset({"5.3.4", "5.6.7", "5.7.30"})
"""The server cannot take this message, whoever it is for: its size, SMTPUTF8, REQUIRETLS."""
_TOO_MANY = "5.3"  # X.5.3 Too many recipients


def outcome(reply: Reply, host: str, *, reports_itself: bool = False) -> Outcome:
    """Return what becomes of a recipient. reports_itself: the server was told of the sender's wishes."""
    text = str(reply)[:REPLY_TEXT_MAX]
    if not reply.is_transient and not reply.is_permanent:
        return Delivered(text, host, reports_itself)
    return Failed(text, host) if is_final(reply) else Retry(text, host)


def is_final(reply: Reply) -> bool:
    """Say whether trying again is pointless."""
    return reply.is_permanent and reply.code not in _ABOUT_US and not is_too_many_recipients(reply)


def is_too_many_recipients(reply: Reply) -> bool:
    """Say whether a recipient was only one too many in this transaction.

    452 is the code; old servers say 552 (RFC 5321 4.5.3.1.10), which with another status is a full mailbox.
    """
    if reply.enhanced is not None:
        return reply.enhanced.partition(".")[2] == _TOO_MANY
    return reply.code in (452, 552) and "recipient" in str(reply).lower()


def is_unfit(reply: Reply) -> bool:
    """Say whether only this server cannot take the message: another one of the domain may."""
    return reply.is_permanent and reply.enhanced in _UNFIT


def without_verdict(reply: Reply) -> Reply:
    """Return what no server's judgement of recipients comes to: later, whatever it said of itself."""
    return reply if reply.is_transient else Reply(451, "4.4.0", f"The server said: {reply}")
