"""What the ESMTP parameters of MAIL and RCPT mean for a session with a given configuration.

Owns SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531), RET, ENVID, NOTIFY and ORCPT (RFC 3461 4),
REQUIRETLS (RFC 8689 2) and AUTH= (RFC 4954 5). Turns parsed arguments
into events or a `Refused` with the reply and a word for the metric.
"""

import re
from collections.abc import Mapping

from appliance.smtp.events import Mail, Rcpt
from appliance.smtp.grammar import Address, MailFrom, RcptTo, SmtpSyntaxError, parse_mail, parse_rcpt
from appliance.smtp.reply import Reply
from appliance.smtp.session_config import SessionConfig

_SIZE = re.compile(r"[0-9]{1,20}")
ENVID_OCTETS_MAX = 100  # RFC 3461 4.4
ORCPT_OCTETS_MAX = 500  # RFC 3461 4.2
_ADDRESS_TYPE = re.compile(r"[A-Za-z0-9-]{1,64}")
_NOTIFY = ("SUCCESS", "FAILURE", "DELAY")
_PRINTABLE_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+(?:[2-6][0-9A-F]|7[0-9A-E]))+")  # RFC 3461 4.4
_XTEXT = re.compile(r"<>|(?:[!-*,-<>-~]|\+[0-9A-F]{2})+")


class Refused(Exception):
    """A command gets `reply`; `close` ends the session after it, `counts` makes it one of the errors."""

    def __init__(self, reply: Reply, reason: str, *, close: bool = False, counts: bool = True) -> None:
        super().__init__(reason)
        self.reply = reply
        self.reason = reason
        self.close = close
        self.counts = counts


def mail_event(args: str, config: SessionConfig, *, extended: bool, tls_active: bool = False) -> Mail:
    """Return the Mail event for the arguments of MAIL, or raise Refused.

    extended: the client said EHLO, so parameters are allowed.
    """
    try:
        parsed = parse_mail(args)
    except SmtpSyntaxError as error:
        raise Refused(Reply(501, "5.1.7", f"Bad sender: {error.message}"), "syntax") from None
    known = _mail_parameters(config, tls_active=tls_active) if extended else frozenset()
    _check_known(parsed.params, known)
    _check_auth_parameter(parsed)
    smtputf8 = _flag(parsed, "SMTPUTF8")
    if parsed.reverse_path is not None:
        _check_ascii(parsed.reverse_path, smtputf8)
    return Mail(
        parsed.reverse_path,
        _size(parsed, config),
        _body(parsed),
        smtputf8,
        _ret(parsed),
        _envid(parsed),
        _flag(parsed, "REQUIRETLS"),
    )


def rcpt_event(args: str, *, smtputf8: bool, dsn: bool = False) -> Rcpt:
    """Return the Rcpt event for the arguments of RCPT, or raise Refused.

    dsn: the parameters of RFC 3461 are allowed; there are no others.
    """
    try:
        parsed: RcptTo = parse_rcpt(args)
    except SmtpSyntaxError as error:
        raise Refused(Reply(501, "5.1.3", f"Bad recipient: {error.message}"), "syntax") from None
    _check_known(parsed.params, frozenset({"NOTIFY", "ORCPT"}) if dsn else frozenset())
    _check_ascii(parsed.forward_path, smtputf8)
    return Rcpt(parsed.forward_path, _notify(parsed), _orcpt(parsed))


def _mail_parameters(config: SessionConfig, *, tls_active: bool) -> frozenset[str]:
    names = {"SIZE", "BODY"}
    if config.dsn:
        names |= {"RET", "ENVID"}
    if config.requiretls and tls_active:
        names.add("REQUIRETLS")
    if config.smtputf8:
        names.add("SMTPUTF8")
    if config.auth_mechanisms:
        names.add("AUTH")
    return frozenset(names)


def _check_known(params: Mapping[str, str | None], known: frozenset[str]) -> None:
    for name in params:
        if name not in known:
            raise Refused(Reply(555, "5.5.4", f"Unsupported parameter {name}"), "parameter")


def _check_ascii(address: Address, smtputf8: bool) -> None:
    if not smtputf8 and not address.is_ascii:
        reply = Reply(553, "5.6.7", "Non-ASCII address without SMTPUTF8")  # RFC 6531 3.5
        raise Refused(reply, "smtputf8")


def _check_auth_parameter(parsed: MailFrom) -> None:
    """AUTH= is checked and then ignored: we trust nobody's word about who authenticated elsewhere."""
    if "AUTH" in parsed.params and not _XTEXT.fullmatch(parsed.params["AUTH"] or ""):
        raise Refused(Reply(501, "5.5.4", "Bad AUTH parameter"), "parameter")


def _size(parsed: MailFrom, config: SessionConfig) -> int | None:
    """Return the declared size. Source: RFC 1870 6.1 (refusal in response to MAIL)."""
    if "SIZE" not in parsed.params:
        return None
    text = parsed.params["SIZE"] or ""
    if not _SIZE.fullmatch(text):
        raise Refused(Reply(501, "5.5.4", "SIZE needs a number"), "parameter")
    size = int(text)
    if size > config.size_bytes_max:
        reply = Reply(552, "5.3.4", f"Message too large, the limit is {config.size_bytes_max} octets")
        raise Refused(reply, "size")
    return size


def _body(parsed: MailFrom) -> str:
    value = parsed.params.get("BODY", "7BIT")
    body = (value or "").upper()
    if body not in ("7BIT", "8BITMIME"):
        raise Refused(Reply(555, "5.5.4", "BODY must be 7BIT or 8BITMIME"), "parameter")
    return body


def _flag(parsed: MailFrom, name: str) -> bool:
    if parsed.params.get(name) is not None:
        raise Refused(Reply(501, "5.5.4", f"{name} takes no value"), "parameter")
    return name in parsed.params


def _ret(parsed: MailFrom) -> str:
    """Source: RFC 3461 4.3."""
    if "RET" not in parsed.params:
        return ""
    ret = (parsed.params["RET"] or "").upper()
    if ret not in ("FULL", "HDRS"):
        raise Refused(Reply(501, "5.5.4", "RET must be FULL or HDRS"), "parameter")
    return ret


def _envid(parsed: MailFrom) -> str:
    """Source: RFC 3461 4.4."""
    if "ENVID" not in parsed.params:
        return ""
    envid = parsed.params["ENVID"] or ""
    if not _PRINTABLE_XTEXT.fullmatch(envid) or len(envid) > ENVID_OCTETS_MAX:
        raise Refused(Reply(501, "5.5.4", "Bad ENVID parameter"), "parameter")
    return envid


def _notify(parsed: RcptTo) -> str:
    """Return the words in the order of the RFC, each once. Source: RFC 3461 4.1."""
    if "NOTIFY" not in parsed.params:
        return ""
    words = (parsed.params["NOTIFY"] or "").upper().split(",")
    if words == ["NEVER"]:
        return "NEVER"
    if not set(words) <= set(_NOTIFY):
        raise Refused(Reply(501, "5.5.4", "NOTIFY must be NEVER, or SUCCESS, FAILURE, DELAY"), "parameter")
    return ",".join(word for word in _NOTIFY if word in words)


def _orcpt(parsed: RcptTo) -> str:
    """Source: RFC 3461 4.2."""
    if "ORCPT" not in parsed.params:
        return ""
    orcpt = parsed.params["ORCPT"] or ""
    kind, semicolon, address = orcpt.partition(";")
    is_good = bool(_ADDRESS_TYPE.fullmatch(kind)) and bool(semicolon) and _is_xtext(address)
    if not is_good or len(orcpt) > ORCPT_OCTETS_MAX:
        raise Refused(Reply(501, "5.5.4", "Bad ORCPT parameter"), "parameter")
    return orcpt


def _is_xtext(text: str) -> bool:
    return text.isascii() and bool(_XTEXT.fullmatch(text))
