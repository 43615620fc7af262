"""When two spellings are the same address: the one form addresses are stored and compared in.

Owns the normal form: domain in lower-case A-labels, local part composed (NFC) and case-folded, quotes only
where they are needed. What is an address at all is `smtp.grammar`; whether anybody has it is `accounts`.

Source: RFC 5321 2.4 (only the receiving system may ignore the case of a local part: this is that system, and
people type their address in any case), RFC 6531 3.2 (SMTPUTF8), RFC 3490 4.1 ToASCII with the letters of
RFC 5892 2.6 that it would lose.
"""

import encodings.idna
import re
import unicodedata

from appliance.errors import InvalidInput
from appliance.smtp.grammar import ADDRESS_OCTETS_MAX, Address, SmtpSyntaxError, parse_address

DOMAIN_OCTETS_MAX = 253  # RFC 1035 2.3.4: 255 on the wire, less the root and the first length
SUBADDRESS_SEPARATOR = "+"  # RFC 5233 1
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_HOST_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NAME_OF_ACCOUNT = re.compile(r"[^\s\"(),:;<>@\[\\\]]+")
_MAPPED_AWAY = frozenset("ßẞς")
"""RFC 3490 makes `ss` and `σ` of these, RFC 5891 keeps them: another domain, of another owner (UTS 46 7)."""
_DOTS = re.compile("[.\u3002\uff0e\uff61]")  # RFC 3490 3.1: all four separate labels


def normalise(address: str) -> str:
    """Return the form in which an address is stored and compared; raises InvalidInput.

    The result is again an address, and normalising it changes nothing.
    """
    if len(address) > ADDRESS_OCTETS_MAX:
        raise InvalidInput(f"an address is at most {ADDRESS_OCTETS_MAX} bytes long")
    try:
        parsed = parse_address(address.strip(" "))
        if not parsed.domain:
            raise InvalidInput(f"{_shown(address)} has no domain: write name@example.com")
        domain = parsed.domain.lower() if parsed.is_literal else _domain(parsed.domain, _LABEL)
        return str(Address(_local_part(parsed.local_part), domain))
    except SmtpSyntaxError as error:
        raise InvalidInput(f"{_shown(address)} is not an address: {error.message}") from None


def for_others(address: str) -> str:
    """Return an address of another server as it is kept: its domain in normal form, its local part as typed.

    Only the receiving system may ignore the case of a local part. Raises InvalidInput.
    """
    domain = domain_of(normalise(address))
    parsed = parse_address(address.strip(" "))
    return str(Address(parsed.local_part, domain))


def normalise_domain(name: str) -> str:
    """Return a domain as lower-case A-labels; raises InvalidInput unless it has at least two labels."""
    domain = normalise_host(name)
    if "." not in domain:
        raise InvalidInput(f"{_shown(name)} is not a domain: it needs at least two parts, like example.com")
    return domain


def normalise_host(name: str) -> str:
    """Return a host name as lower-case A-labels; raises InvalidInput."""
    return _domain(name.strip(" "), _HOST_LABEL)


def for_account(address: str) -> str:
    """Return the normal form of an address that an account here may have; raises InvalidInput.

    Stricter than `normalise`: nothing that needs quotes, no address literal, no plus sign, which would
    hide the account from its own subaddresses.
    """
    normal = normalise(address)
    local_part, _, domain = normal.rpartition("@")
    if not _NAME_OF_ACCOUNT.fullmatch(local_part) or domain.startswith("["):
        raise InvalidInput(f"{_shown(address)} cannot be the address of an account")
    if SUBADDRESS_SEPARATOR in local_part:
        raise InvalidInput(f"{_shown(address)}: what follows a plus sign belongs to the account before it")
    return normal


def base_address(address: str) -> str:
    """Return an address without its detail: `anna+news@example.com` is `anna@example.com`.

    Returns it unchanged when there is none. Source: RFC 5233 1 (subaddressing).
    """
    local_part, at, domain = address.rpartition("@")
    base, separator, _ = local_part.partition(SUBADDRESS_SEPARATOR)
    return f"{base}{at}{domain}" if base and separator and not base.startswith('"') else address


def domain_of(address: str) -> str:
    """Return the domain of an address that is in normal form."""
    return address.rpartition("@")[2]


def _local_part(text: str) -> str:
    # Folding can undo composition and the other way round; twice reaches the fixed point (Unicode D145).
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    if not folded.isprintable():
        raise InvalidInput(f"{_shown(text)} contains a character that cannot be seen")
    return folded


def _domain(name: str, label_rule: re.Pattern[str]) -> str:
    if len(name) > DOMAIN_OCTETS_MAX:  # first, because preparing a label takes time quadratic in its length
        raise InvalidInput(f"a domain is at most {DOMAIN_OCTETS_MAX} bytes long")
    labels = [_a_label(label) for label in _DOTS.split(name)]
    domain = ".".join(labels)
    if len(domain) > DOMAIN_OCTETS_MAX or not all(label_rule.fullmatch(label) for label in labels):
        raise InvalidInput(f"{_shown(name)} is not a domain name")
    return domain


def _a_label(label: str) -> str:
    if label.isascii():
        return label.lower()
    if not label.isprintable():  # ToASCII would drop these, and two different names would look the same
        raise InvalidInput(f"{_shown(label)} contains a character that cannot be seen")
    if not _MAPPED_AWAY.isdisjoint(label):
        return "xn--" + unicodedata.normalize("NFKC", label.lower()).encode("punycode").decode("ascii")
    try:
        return encodings.idna.ToASCII(label).decode("ascii").lower()
    except UnicodeError:
        raise InvalidInput(f"{_shown(label)} cannot be part of a domain name") from None


def _shown(text: str) -> str:
    """Return text from outside as it may stand in a message: short, quoted, without control characters."""
    return ascii(text) if not text.isprintable() else f"“{text[:100]}”"
