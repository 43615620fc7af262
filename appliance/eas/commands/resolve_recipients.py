"""ResolveRecipients: who is meant, whether they are free, their certificates and pictures.

Recipients are the accounts of this server; a person's own contacts (Type 2) are looked for on the phone.
Nothing but name, address, picture and certificates of another account is ever told.

Availability: no calendar is kept here yet, so a recipient's time is unknown, which MergedFreeBusy has a digit
for; a phone shows it as "no information". Status 160 and 161 speak of groups, which do not exist here.

Mini certificates (CertificateRetrieval 3): the specification calls their content a BLOB and defines it
nowhere, so none can be made. Whoever asks for one hears that there is no certificate (Status 7).

Source: MS-ASCMD 2.2.1.15 ResolveRecipients, 2.2.3.177.12 Status, 2.2.3.107 MergedFreeBusy.
"""

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from appliance.accounts import accounts, certificates, directory, pictures
from appliance.accounts.certificates import Certificate
from appliance.eas.content.email import parse_date_time
from appliance.eas.context import Context
from appliance.eas.status import ProtocolError
from appliance.eas.versions import at_least
from appliance.items.account import Account
from appliance.mime.addresses import parse_addresses
from appliance.store.search_terms import fold
from appliance.wbxml.codepages import ResolveRecipients as Tags
from appliance.wbxml.element import Element, ElementError, Tag

RECIPIENTS_MAX = 100  # MS-ASCMD 3.1.5.10
TO_LENGTH_MAX = 256  # characters, 2.2.3.183 To
LIMIT_MAX = 9999  # 2.2.3.100 MaxAmbiguousRecipients, 2.2.3.101 MaxCertificates
SUGGESTIONS_DEFAULT = 20
SUGGESTIONS_MAX = 1_000
"""Suggestions in all the answers to one request, however many the phone would take of each."""
INTERVAL_MIN, INTERVAL_MAX = timedelta(minutes=30), timedelta(days=42)  # 2.2.3.61.1 EndTime and its note
INTERVAL_DEFAULT = timedelta(days=7)
SLOT = timedelta(minutes=30)
NO_DATA = "4"
TYPE_ACCOUNT = 1


class Status(IntEnum):
    """MS-ASCMD 2.2.3.177.12 Status (ResolveRecipients), of all its five places."""

    SUCCESS = 1
    AMBIGUOUS = 2
    AMBIGUOUS_CUT = 3
    NOT_FOUND = 4
    PROTOCOL_ERROR = 5
    SERVER_ERROR = 6
    NO_CERTIFICATE = 7
    CERTIFICATES_LIMIT = 8
    NO_PICTURE = 173
    PICTURE_TOO_LARGE = 174
    PICTURE_LIMIT = 175


class Retrieval(IntEnum):
    """MS-ASCMD 2.2.3.22 CertificateRetrieval."""

    NONE = 1
    FULL = 2
    MINI = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request asks for besides who is meant. slots: of MergedFreeBusy, None without Availability."""

    retrieval: Retrieval = Retrieval.NONE
    suggestions_max: int = SUGGESTIONS_DEFAULT
    certificates_max: int = LIMIT_MAX
    slots: int | None = None
    with_pictures: bool = False
    picture_bytes_max: int = pictures.SIZE_BYTES_MAX
    pictures_max: int | None = None


@dataclass(slots=True)
class _Answering:
    """What has been used up while one request is answered."""

    wanted: Wanted
    now: datetime
    picture_room: int
    suggestions: int = 0
    certificates: int = 0
    pictures: int = 0


def handle(context: Context, request: Element | None) -> Element:
    """Answer for every To in its order; one that nobody has does not concern the others."""
    if request is None or request.tag is not Tags.ResolveRecipients:
        raise ProtocolError(Status.PROTOCOL_ERROR, "not a ResolveRecipients document")
    asked = [element.text for element in request.find_all(Tags.To)]
    if not 0 < len(asked) <= RECIPIENTS_MAX:
        raise ProtocolError(Status.PROTOCOL_ERROR, f"1 to {RECIPIENTS_MAX} recipients")
    if any(len(text) > TO_LENGTH_MAX for text in asked):
        raise ProtocolError(Status.PROTOCOL_ERROR, f"a To has at most {TO_LENGTH_MAX} characters")
    answering = _Answering(
        parse(request.find(Tags.Options), context.version), context.now, context.world.eas.response_bytes_max
    )
    return Tags.ResolveRecipients(Tags.Status(Status.SUCCESS), [_response(answering, text) for text in asked])


# --- what is asked --------------------------------------------------------------------------------


def parse(options: Element | None, version: str) -> Wanted:
    """Return the options; what the version does not have is not looked at. Raises ProtocolError 5."""
    if options is None:
        return Wanted()
    try:
        retrieval = options.int_of(Tags.CertificateRetrieval, Retrieval.NONE)
        availability = options.find(Tags.Availability) if at_least(version, "14.0") else None
        picture = options.find(Tags.Picture) if at_least(version, "14.1") else None
        return Wanted(
            Retrieval(retrieval),
            _limit(options, Tags.MaxAmbiguousRecipients, SUGGESTIONS_DEFAULT),
            _limit(options, Tags.MaxCertificates, LIMIT_MAX),
            None if availability is None else _slots(availability),
            picture is not None,
            pictures.SIZE_BYTES_MAX
            if picture is None
            else _size(picture, Tags.MaxSize, pictures.SIZE_BYTES_MAX),
            None
            if picture is None or picture.find(Tags.MaxPictures) is None
            else _size(picture, Tags.MaxPictures, 0),
        )
    except (ElementError, ValueError) as error:
        raise ProtocolError(Status.PROTOCOL_ERROR, "an option is not a number it may be") from error


def _limit(options: Element, tag: Tag, default: int) -> int:
    value = options.int_of(tag, default)
    if not 0 <= value <= LIMIT_MAX:
        raise ProtocolError(Status.PROTOCOL_ERROR, f"{tag.name} is 0 to {LIMIT_MAX}")
    return value


def _size(picture: Element, tag: Tag, default: int) -> int:
    value = picture.int_of(tag, default)
    if value < 0:
        raise ProtocolError(Status.PROTOCOL_ERROR, f"{tag.name} is not negative")
    return value


def _slots(availability: Element) -> int:
    """Return how many half hours are asked for, a last part counting as one; raises ProtocolError 5."""
    try:
        start = parse_date_time(availability.text_of(Tags.StartTime))
        end = parse_date_time(availability.text_of(Tags.EndTime))
    except ProtocolError as error:
        raise ProtocolError(Status.PROTOCOL_ERROR, str(error)) from error
    if start is None:
        raise ProtocolError(Status.PROTOCOL_ERROR, "Availability has a StartTime")
    span = INTERVAL_DEFAULT if end is None else end - start
    if not INTERVAL_MIN <= span <= INTERVAL_MAX:
        raise ProtocolError(Status.PROTOCOL_ERROR, "Availability is for half an hour up to 42 days")
    return -(-span // SLOT)


# --- what is answered -----------------------------------------------------------------------------


def _response(answering: _Answering, text: str) -> Element:
    found, count = _matches(text)
    if not found:
        return Tags.Response(Tags.To(text), Tags.Status(Status.NOT_FOUND), Tags.RecipientCount(0))
    if count == 1:
        return _told(answering, text, Status.SUCCESS, found, 1)
    room = min(answering.wanted.suggestions_max, SUGGESTIONS_MAX - answering.suggestions)
    shown = found[:room]
    answering.suggestions += len(shown)
    status = Status.AMBIGUOUS if len(shown) == count else Status.AMBIGUOUS_CUT
    return _told(answering, text, status, shown, count)


def _matches(text: str) -> tuple[list[Account], int]:
    """Return whom a To may mean, and how many they are.

    An address means one account or nobody; a text is looked up in the directory, where somebody whose
    whole name it is is meant alone.
    """
    named = parse_addresses(text, 1)
    if named and named[0].address:
        account = accounts.by_address(named[0].address)
        return ([account], 1) if account is not None and account.is_enabled else ([], 0)
    found, count = directory.find(text, limit=SUGGESTIONS_MAX)
    whole = [each for each in found if fold(each.display_name) == fold(text.strip())]
    return (whole, 1) if len(whole) == 1 else (found, count)


def _told(answering: _Answering, text: str, status: Status, found: Sequence[Account], count: int) -> Element:
    """Return a Response; for suggestions without certificates and free times."""
    ids = [account.id for account in found]
    sizes = pictures.sizes(ids) if answering.wanted.with_pictures else {}
    return Tags.Response(
        Tags.To(text),
        Tags.Status(status),
        Tags.RecipientCount(count),
        [
            Tags.Recipient(
                Tags.Type(TYPE_ACCOUNT),
                Tags.DisplayName(account.display_name or account.address),
                Tags.EmailAddress(account.address),
                list(_secrets(answering, account)) if status is Status.SUCCESS else None,
                _picture(answering, account.id, sizes) if answering.wanted.with_pictures else None,
            )
            for account in found
        ],
    )


def _secrets(answering: _Answering, account: Account) -> Iterator[Element]:
    """Yield free times and certificates, which only somebody who is meant for certain has."""
    wanted = answering.wanted
    if wanted.slots is not None:
        yield Tags.Availability(Tags.Status(Status.SUCCESS), Tags.MergedFreeBusy(NO_DATA * wanted.slots))
    if wanted.retrieval is not Retrieval.NONE:
        yield _certificates(answering, account.id)


def _certificates(answering: _Answering, account_id: int) -> Element:
    """Return all of an account's valid certificates, or none: an incomplete set is worse."""
    found = [each for each in certificates.list_of(account_id) if each.is_valid(answering.now)]
    if answering.wanted.retrieval is Retrieval.MINI:
        found = []
    if not found:
        return _certificate_answer(Status.NO_CERTIFICATE, 0, ())
    if answering.certificates + len(found) > answering.wanted.certificates_max:
        return _certificate_answer(Status.CERTIFICATES_LIMIT, len(found), ())
    answering.certificates += len(found)
    return _certificate_answer(Status.SUCCESS, len(found), found)


def _certificate_answer(status: Status, count: int, found: Sequence[Certificate]) -> Element:
    return Tags.Certificates(
        Tags.Status(status),
        Tags.CertificateCount(count),
        Tags.RecipientCount(1),
        [Tags.Certificate(b64encode(each.der).decode("ascii")) for each in found],
    )


def _picture(answering: _Answering, account_id: int, sizes: Mapping[int, int]) -> Element:
    size = sizes.get(account_id)
    if size is None:
        return Tags.Picture(Tags.Status(Status.NO_PICTURE))
    if size > answering.wanted.picture_bytes_max:
        return Tags.Picture(Tags.Status(Status.PICTURE_TOO_LARGE))
    limit = answering.wanted.pictures_max
    if (limit is not None and answering.pictures >= limit) or size > answering.picture_room:
        return Tags.Picture(Tags.Status(Status.PICTURE_LIMIT))
    picture = pictures.get(account_id)
    if picture is None:  # removed since its size was read
        return Tags.Picture(Tags.Status(Status.NO_PICTURE))
    answering.pictures += 1
    answering.picture_room -= len(picture.data)
    return Tags.Picture(Tags.Status(Status.SUCCESS), Tags.Data(picture.data))
