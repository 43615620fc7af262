"""What the domain's errors sound like in SMTP: the one table of this edge.

Anything that is not listed is our bug or the outside world: temporary, logged by the caller with its
traceback, and without a word about its cause to the client. Enhanced codes: RFC 3463.
"""

from appliance.accounts.login import AccountDisabled
from appliance.delivery.sending import SendingLimit
from appliance.errors import (
    Conflict,
    Denied,
    DiskFull,
    InvalidInput,
    NotFound,
    PermanentFailure,
    QuotaExceeded,
    TemporaryFailure,
    TooLarge,
)
from appliance.mime.edit import ComposeError
from appliance.smtp.reply import Reply
from smtpd.services import RecipientVerdict

UNKNOWN_ERROR = Reply(451, "4.3.0", "Local error, try again later")
NO_ROOM = Reply(452, "4.3.1", "No room for mail at the moment, try again later")

FOR_ERROR: dict[type[Exception], Reply] = {
    QuotaExceeded: Reply(452, "4.2.2", "Mailbox full"),
    TooLarge: Reply(552, "5.3.4", "Message too large"),
    AccountDisabled: Reply(550, "5.7.1", "This account may not send any more"),
    Denied: Reply(550, "5.7.1", "Not allowed"),
    NotFound: Reply(550, "5.1.1", "No such recipient"),
    InvalidInput: Reply(554, "5.6.0", "Message not acceptable"),
    ComposeError: Reply(554, "5.6.0", "Message not acceptable"),
    Conflict: UNKNOWN_ERROR,
    PermanentFailure: Reply(554, "5.3.0", "Message refused"),
    DiskFull: NO_ROOM,
    TemporaryFailure: UNKNOWN_ERROR,
}
FOR_LOGIN_ERROR: dict[type[Exception], Reply] = {
    Denied: Reply(535, "5.7.8", "Wrong user name or password"),
    TemporaryFailure: Reply(454, "4.7.0", "Cannot log in now, try again later"),
}
FOR_VERDICT: dict[RecipientVerdict, Reply] = {
    RecipientVerdict.REMOTE: Reply(550, "5.7.1", "Relaying denied"),  # unless authenticated
    RecipientVerdict.FULL: FOR_ERROR[QuotaExceeded],
    RecipientVerdict.UNKNOWN_USER: Reply(550, "5.1.1", "No such user here"),
    RecipientVerdict.NOT_ALLOWED: Reply(550, "5.7.1", "You may not write to this address"),
    RecipientVerdict.REJECTED: Reply(550, "5.2.1", "This mailbox takes no mail"),
    RecipientVerdict.UNAVAILABLE: Reply(451, "4.3.0", "Cannot check the recipient now"),
}

WRONG_PORT = Reply(
    550, "5.7.1", "Relaying denied; mail programs of this server's users use port 465 or 587 and a password"
)
NO_LOGIN = FOR_LOGIN_ERROR[TemporaryFailure]
WRONG_SENDER = Reply(553, "5.7.1", "This account may not send as this address")
NO_SPACE = Reply(452, "4.3.1", "Too much mail at the moment, try again later")
TOO_MANY_HOPS = Reply(554, "5.4.6", "Too many hops, this message is looping")
TOO_MANY_MESSAGES = Reply(421, "4.7.0", "Too many messages on one connection, connect again")
TOO_MANY_CONNECTIONS = Reply(421, "4.7.0", "Too many connections, try again later")
TOO_MANY_FROM_YOU = Reply(421, "4.7.0", "Too many connections from your address")
COME_BACK = Reply(451, "4.7.1", "Greylisted: we do not know you yet, try again in a few minutes")
FILTER_SAYS_NO = "Refused by the content filter"
FILTER_SAYS_LATER = "Not now, says the content filter"
TOO_FAST = Reply(451, "4.7.0", "Too much mail from your network at once, try again later")
TOO_MANY_UNKNOWN = Reply(421, "4.7.0", "Too many addresses nobody here has, try again later")
TIMEOUT = Reply(421, "4.4.2", "Timeout, closing the connection")
TOO_SLOW = Reply(421, "4.4.2", "Message comes too slowly, closing the connection")
SHUTTING_DOWN = Reply(421, "4.3.2", "Service is restarting, try again")
BROKEN = Reply(421, "4.3.0", "Local error, closing the connection")
NO_TLS = Reply(454, "4.7.0", "TLS is not available now")


def dmarc_refusal(domain: str) -> Reply:
    """Return what mail hears that its own domain disowns. Source: RFC 7489 10.3, RFC 7372 3.2."""
    return Reply(550, "5.7.26", f"Refused as {domain} asks: neither SPF nor DKIM says it is theirs (DMARC)")


def of_filter(text: str, *, is_permanent: bool) -> Reply:
    """Return the filter's refusal, in its own words when it has some."""
    if is_permanent:
        return Reply(550, "5.7.1", text or FILTER_SAYS_NO)
    return Reply(451, "4.7.1", text or FILTER_SAYS_LATER)


def listed(zone: str) -> Reply:
    """Return what a client hears that several block lists name."""
    return Reply(554, "5.7.1", f"Your address is on block lists, {zone} for one")


def reply_for(error: Exception, table: dict[type[Exception], Reply] = FOR_ERROR) -> Reply | None:
    """Return the reply for an error of the domain; None for one that is nobody's intention."""
    if isinstance(error, SendingLimit):
        return Reply(450, "4.7.1", str(error))  # says which limit
    for kind in type(error).__mro__:
        if kind in table:
            return table[kind]
    return None
