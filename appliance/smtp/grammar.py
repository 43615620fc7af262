"""What SMTP commands mean as text: addresses, paths and ESMTP parameters.

Owns the `Address` value type, through which every envelope address passes: what this type accepts can
be written to a command or a header without escaping anything, because control characters, line breaks
and over-long parts are refused when it is made. Leaves bytes and line ends to `lines`, the meaning of
parameters to `parameters`, and whether an address exists to the caller.

Follows RFC 5321 4.1.2 with the SMTPUTF8 extensions of RFC 6531 3.3. Source routes are parsed and dropped
(RFC 5321 appendix C). An address literal is kept as written, in its brackets.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

LOCAL_PART_OCTETS_MAX = 64  # RFC 5321 4.5.3.1.1 Local-part
DOMAIN_OCTETS_MAX = 255  # RFC 5321 4.5.3.1.2 Domain
ADDRESS_OCTETS_MAX = 254  # RFC 5321 4.5.3.1.3 Path: 256 with its angle brackets
LABEL_OCTETS_MAX = 63  # RFC 1035 2.3.4 Size limits
PARAMETERS_MAX = 16

# Everything beyond ASCII except C1 controls, the Unicode line separators and surrogates.
_BEYOND_ASCII = "\u00a0-\u2027\u202a-\ud7ff\ue000-\U0010ffff"
_ATEXT = rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~{_BEYOND_ASCII}-]"
_DOT_STRING = re.compile(rf"{_ATEXT}+(?:\.{_ATEXT}+)*")
_QUOTED_STRING = re.compile(rf'"(?:[ !#-\[\]-~{_BEYOND_ASCII}]|\\[ -~])*"')
_PRINTABLE = re.compile(rf"[ -~{_BEYOND_ASCII}]*")
_LABEL_CHARACTERS = re.compile(rf"[A-Za-z0-9_{_BEYOND_ASCII}-]+")
_DOMAIN_END = re.compile(r"[^>,: ]*")
_LITERAL = re.compile(r"\[[!-Z^-~]*\]")
_GENERAL_LITERAL = re.compile(r"[A-Za-z0-9-]*[A-Za-z0-9]:[!-Z^-~]+")
_PARAMETER = re.compile(rf"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~{_BEYOND_ASCII}]+))?")


class SmtpSyntaxError(ValueError):
    """Text that the grammar does not allow; `position` is the offset in what was parsed."""

    def __init__(self, message: str, position: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


@dataclass(frozen=True, slots=True)
class Address:
    """local-part@domain; `local_part` is held unquoted, so `"a"@x.test` equals `a@x.test`.

    An empty domain is allowed for Postmaster only (RFC 5321 4.5.1). Raises SmtpSyntaxError for anything
    that could not be written back as one address.
    """

    local_part: str
    domain: str

    def __post_init__(self) -> None:
        if not _PRINTABLE.fullmatch(self.local_part):
            raise SmtpSyntaxError("control character in the local part")
        if len(self.local_part.encode()) > LOCAL_PART_OCTETS_MAX:
            raise SmtpSyntaxError(f"local part longer than {LOCAL_PART_OCTETS_MAX} octets")
        if self.domain or self.local_part.lower() != "postmaster":
            _check_domain(self.domain)
        if len(str(self).encode()) > ADDRESS_OCTETS_MAX:
            raise SmtpSyntaxError(f"address longer than {ADDRESS_OCTETS_MAX} octets")

    def __str__(self) -> str:
        local = self.local_part
        if not _DOT_STRING.fullmatch(local):
            local = '"' + re.sub(r'(["\\])', r"\\\1", local) + '"'
        return f"{local}@{self.domain}" if self.domain else local

    @property
    def is_ascii(self) -> bool:
        """Say whether the address can travel without SMTPUTF8."""
        return self.local_part.isascii() and self.domain.isascii()

    @property
    def is_literal(self) -> bool:
        """Say whether the domain is an address literal such as `[192.0.2.1]`."""
        return self.domain.startswith("[")


@dataclass(frozen=True, slots=True)
class MailFrom:
    """The arguments of MAIL; `reverse_path` is None for `<>`. Parameter names are upper case."""

    reverse_path: Address | None
    params: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RcptTo:
    """The arguments of RCPT. Parameter names are upper case; None means no value was given."""

    forward_path: Address
    params: Mapping[str, str | None] = field(default_factory=dict)


def parse_mail(args: str) -> MailFrom:
    """Parse what follows `MAIL `. Raises SmtpSyntaxError. Source: RFC 5321 4.1.1.2 MAIL."""
    start = _keyword(args, "FROM:")
    if args.startswith("<>", start):
        return MailFrom(None, _parameters(args, start + 2))
    address, position = _path(args, start)
    if not address.domain:
        raise SmtpSyntaxError("the sender needs a domain", start)
    return MailFrom(address, _parameters(args, position))


def parse_rcpt(args: str) -> RcptTo:
    """Parse what follows `RCPT `; `<Postmaster>` needs no domain. Raises SmtpSyntaxError.

    Source: RFC 5321 4.1.1.3 RCPT.
    """
    address, position = _path(args, _keyword(args, "TO:"))
    return RcptTo(address, _parameters(args, position))


def parse_address(text: str) -> Address:
    """Parse one whole `local-part@domain` without brackets. Raises SmtpSyntaxError."""
    address, position = _mailbox(text, 0)
    if position != len(text):
        raise SmtpSyntaxError("text after the address", position)
    return address


def _keyword(args: str, keyword: str) -> int:
    """Return the offset of the path after `FROM:` or `TO:`.

    Deviation: blanks after the colon are allowed, although RFC 5321 3.3 forbids them: scanners, printers
    and hand-written scripts send them (test_grammar.py::test_blank_after_colon).
    """
    if args[: len(keyword)].upper() != keyword:
        raise SmtpSyntaxError(f"{keyword}<address> expected", 0)
    position = len(keyword)
    while args.startswith(" ", position):
        position += 1
    return position


def _path(args: str, position: int) -> tuple[Address, int]:
    """Parse `<[source-route:]mailbox>` and return the address and the offset after the bracket."""
    if not args.startswith("<", position):
        raise SmtpSyntaxError("address must be in angle brackets", position)
    position = _skip_source_route(args, position + 1)
    address, position = _mailbox(args, position)
    if not args.startswith(">", position):
        raise SmtpSyntaxError("closing bracket expected", position)
    return address, position + 1


def _skip_source_route(args: str, position: int) -> int:
    """Return the offset after `@a,@b:`; the hosts are checked and forgotten (RFC 5321 appendix C)."""
    if not args.startswith("@", position):
        return position
    while args.startswith("@", position):
        domain, position = _domain(args, position + 1)
        _check_domain(domain, position)
        if args.startswith(":", position):
            return position + 1
        if not args.startswith(",", position):
            break
        position += 1
    raise SmtpSyntaxError("broken source route", position)


def _mailbox(text: str, start: int) -> tuple[Address, int]:
    """Parse `local-part@domain`, or Postmaster alone, and return it with the offset behind it."""
    match = _DOT_STRING.match(text, start) or _QUOTED_STRING.match(text, start)
    if match is None:
        raise SmtpSyntaxError("local part expected", start)
    local_part, position = match.group(), match.end()
    if local_part.startswith('"'):
        local_part = re.sub(r"\\(.)", r"\1", local_part[1:-1])
    domain = ""
    if text.startswith("@", position):
        domain, position = _domain(text, position + 1)
        _check_domain(domain, position)
    try:
        return Address(local_part, domain), position
    except SmtpSyntaxError as error:
        raise SmtpSyntaxError(error.message, start) from None


def _domain(text: str, position: int) -> tuple[str, int]:
    """Return the domain or address literal as written, unchecked, and the offset behind it."""
    pattern = _LITERAL if text.startswith("[", position) else _DOMAIN_END
    match = pattern.match(text, position)
    if match is None:
        raise SmtpSyntaxError("broken address literal", position)
    return match.group(), match.end()


def _check_domain(domain: str, position: int = 0) -> None:
    """Raise SmtpSyntaxError unless this is a domain or an address literal.

    Deviation: an underscore is allowed, for hosts that send with their own machine name
    (test_grammar.py::test_underscore_in_domain).
    """
    if not domain:
        raise SmtpSyntaxError("domain expected", position)
    if len(domain.encode()) > DOMAIN_OCTETS_MAX:
        raise SmtpSyntaxError(f"domain longer than {DOMAIN_OCTETS_MAX} octets", position)
    if domain.startswith("["):
        _check_literal(domain, position)
        return
    for label in domain.split("."):
        if not _LABEL_CHARACTERS.fullmatch(label) or label.startswith("-") or label.endswith("-"):
            raise SmtpSyntaxError("broken domain", position)
        if len(label.encode()) > LABEL_OCTETS_MAX:
            raise SmtpSyntaxError(f"domain label longer than {LABEL_OCTETS_MAX} octets", position)


def _check_literal(domain: str, position: int) -> None:
    """Raise SmtpSyntaxError unless this is an address literal. Source: RFC 5321 4.1.3 Address Literals."""
    inner = domain[1:-1]
    try:
        if not domain.endswith("]"):
            raise ValueError
        if inner[:5].upper() == "IPV6:":
            if "%" in inner:
                raise ValueError
            ipaddress.IPv6Address(inner[5:])
        elif not _GENERAL_LITERAL.fullmatch(inner):
            ipaddress.IPv4Address(inner)
    except ValueError:
        raise SmtpSyntaxError("broken address literal", position) from None


def _parameters(args: str, position: int) -> dict[str, str | None]:
    """Parse ` KEY[=value] …` up to the end. Source: RFC 5321 4.1.2, esmtp-param."""
    found: dict[str, str | None] = {}
    if args[position : position + 1] not in ("", " "):
        raise SmtpSyntaxError("blank expected after the address", position)
    for word in filter(None, args[position:].split(" ")):
        match = _PARAMETER.fullmatch(word)
        if match is None:
            raise SmtpSyntaxError("broken parameter", args.index(word, position))
        keyword = match.group(1).upper()
        if keyword in found or len(found) == PARAMETERS_MAX:
            raise SmtpSyntaxError("parameter repeated, or too many", args.index(word, position))
        found[keyword] = match.group(2)
    return found
