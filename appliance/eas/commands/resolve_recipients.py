"""ResolveRecipients: who is meant, whether they are free, their certificates and pictures.

Recipients are the accounts and groups of this server; a person's own contacts (Type 2) are looked for on the
phone. Nothing but name, address, picture and certificates of another account
is ever told (`recipient_details`). No request names more than 100 recipients, so Status 160 is never due.

Source: MS-ASCMD 2.2.1.15 ResolveRecipients, 2.2.3.177.12 Status, 2.2.3.183 To.
"""

from collections.abc import Sequence
from datetime import timedelta

from appliance.accounts import accounts, directory, groups, pictures
from appliance.accounts.directory import Entry
from appliance.eas.content.email import parse_date_time
from appliance.eas.context import Context
from appliance.eas.recipient_details import (
    LIMIT_MAX,
    SUGGESTIONS_DEFAULT,
    Answering,
    Retrieval,
    Status,
    Wanted,
    picture_of,
    secrets_of,
)
from appliance.eas.status import ProtocolError
from appliance.eas.versions import at_least
from appliance.errors import InvalidInput, NotFound
from appliance.items.account import Account
from appliance.mime.addresses import parse_addresses
from appliance.store.search_terms import fold
from appliance.wbxml.codepages import ResolveRecipients as Tags
from appliance.wbxml.element import Element, ElementError, Tag

RECIPIENTS_MAX = 100  # MS-ASCMD 3.1.5.10
TO_LENGTH_MAX = 256  # characters, 2.2.3.183 To
SUGGESTIONS_MAX = 1_000
"""Suggestions in all the answers to one request, however many the phone would take of each."""
INTERVAL_MIN, INTERVAL_MAX = timedelta(minutes=30), timedelta(days=42)  # 2.2.3.61.1 EndTime and its note
INTERVAL_DEFAULT = timedelta(days=7)
SLOT = timedelta(minutes=30)
TYPE_ACCOUNT = 1


def handle(context: Context, request: Element | None) -> Element:
    """Answer for every To in its order; one that nobody has does not concern the others."""
    if request is None or request.tag is not Tags.ResolveRecipients:
        raise ProtocolError(Status.PROTOCOL_ERROR, "not a ResolveRecipients document")
    asked = [element.text for element in request.find_all(Tags.To)]
    if not 0 < len(asked) <= RECIPIENTS_MAX:
        raise ProtocolError(Status.PROTOCOL_ERROR, f"1 to {RECIPIENTS_MAX} recipients")
    if any(len(text) > TO_LENGTH_MAX for text in asked):
        raise ProtocolError(Status.PROTOCOL_ERROR, f"a To has at most {TO_LENGTH_MAX} characters")
    answering = Answering(
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


def _response(answering: Answering, text: str) -> Element:
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


def _matches(text: str) -> tuple[list[Entry], int]:
    """Return whom a To may mean, and how many they are.

    An address means one account, one group or nobody; a text is looked up in the directory, where somebody
    whose whole name it is is meant alone.
    """
    named = parse_addresses(text, 1)
    if named and named[0].address:
        entry = _with_address(named[0].address)
        return ([entry], 1) if entry is not None else ([], 0)
    found, count = directory.find(text, limit=SUGGESTIONS_MAX)
    whole = [each for each in found if fold(directory.name_of(each)) == fold(text.strip())]
    return (whole, 1) if len(whole) == 1 else (found, count)


def _with_address(address: str) -> Entry | None:
    account = accounts.by_address(address)
    if account is not None:
        return account if account.is_enabled else None
    try:
        return groups.require(address)
    except (NotFound, InvalidInput):
        return None


def _told(answering: Answering, text: str, status: Status, found: Sequence[Entry], count: int) -> Element:
    """Return a Response; for suggestions without certificates and free times."""
    ids = [entry.id for entry in found if isinstance(entry, Account)]
    sizes = pictures.sizes(ids) if answering.wanted.with_pictures else {}
    return Tags.Response(
        Tags.To(text),
        Tags.Status(status),
        Tags.RecipientCount(count),
        [
            Tags.Recipient(
                Tags.Type(TYPE_ACCOUNT),
                Tags.DisplayName(directory.name_of(entry)),
                Tags.EmailAddress(entry.address),
                list(secrets_of(answering, entry)) if status is Status.SUCCESS else None,
                picture_of(answering, entry, sizes) if answering.wanted.with_pictures else None,
            )
            for entry in found
        ],
    )
