"""What ResolveRecipients tells of a person or a group: free times, certificates, picture; within the limits.

Availability: no calendar is kept here yet, so a recipient's time is unknown, which MergedFreeBusy has a digit
for; a phone shows it as "no information". That of a group is merged out of its members', unless it is large.

Mini certificates (CertificateRetrieval 3): the specification calls their content a BLOB and defines it
nowhere, so none can be made. Whoever asks for one hears that there is no certificate (Status 7).

Mail to a group is sealed for all of its members, so their certificates are told together or not at all.

Source: MS-ASCMD 2.2.3.16 Availability, 2.2.3.183 To (distribution groups), 2.2.3.107 MergedFreeBusy,
2.2.3.23.1 Certificates, 2.2.3.177.12 Status.
"""

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from appliance.accounts import certificates, pictures
from appliance.accounts.certificates import Certificate
from appliance.accounts.directory import Entry
from appliance.delivery import expansion
from appliance.delivery.expansion import Reached
from appliance.errors import TooLarge
from appliance.items.account import Account
from appliance.items.group import Group
from appliance.wbxml.codepages import ResolveRecipients as Tags
from appliance.wbxml.element import Element

LIMIT_MAX = 9999  # 2.2.3.100 MaxAmbiguousRecipients, 2.2.3.101 MaxCertificates
SUGGESTIONS_DEFAULT = 20
FREE_TIMES_MEMBERS_MAX = 20  # of a group whose times are merged, 2.2.3.183 To
CERTIFICATES_MEMBERS_MAX = 100  # of a group whose certificates are looked up
NO_DATA = "4"


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
    GROUP_TOO_LARGE = 161
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
class Answering:
    """What has been used up while one request is answered."""

    wanted: Wanted
    now: datetime
    picture_room: int
    suggestions: int = 0
    certificates: int = 0
    pictures: int = 0


def secrets_of(answering: Answering, entry: Entry) -> Iterator[Element]:
    """Return free times and certificates, which only somebody who is meant for certain has.

    Needs `db.connection()`.
    """
    return _of_group(answering, entry) if isinstance(entry, Group) else _of_account(answering, entry)


def _of_account(answering: Answering, account: Account) -> Iterator[Element]:
    if answering.wanted.slots is not None:
        yield _free_times(answering.wanted.slots)
    if answering.wanted.retrieval is not Retrieval.NONE:
        yield _certificates(answering, _valid(answering, account.id), 1)


def _of_group(answering: Answering, group: Group) -> Iterator[Element]:
    """Yield the free times and certificates of a group's members."""
    if answering.wanted.slots is None and answering.wanted.retrieval is Retrieval.NONE:
        return
    try:
        members = expansion.expand([group])
    except TooLarge:
        members = None
    if answering.wanted.slots is not None:
        if members is None or len(members) > FREE_TIMES_MEMBERS_MAX:
            yield Tags.Availability(Tags.Status(Status.GROUP_TOO_LARGE))
        else:
            yield _free_times(answering.wanted.slots)
    if answering.wanted.retrieval is Retrieval.NONE:
        return
    if members is None or len(members) > CERTIFICATES_MEMBERS_MAX:
        count = LIMIT_MAX if members is None else len(members)
        yield _certificate_answer(Status.CERTIFICATES_LIMIT, count, (), count)
    else:
        yield _certificates(answering, _of_all(answering, members), len(members))


def _free_times(slots: int) -> Element:
    return Tags.Availability(Tags.Status(Status.SUCCESS), Tags.MergedFreeBusy(NO_DATA * slots))


def _of_all(answering: Answering, members: Sequence[Reached]) -> list[Certificate]:
    """Return the certificates of all members; nothing when one of them has none that is known here."""
    each = [
        _valid(answering, one.route.account.id) if one.route.account is not None else [] for one in members
    ]
    return [certificate for some in each for certificate in some] if all(each) else []


def _valid(answering: Answering, account_id: int) -> list[Certificate]:
    return [each for each in certificates.list_of(account_id) if each.is_valid(answering.now)]


def _certificates(answering: Answering, found: Sequence[Certificate], recipients: int) -> Element:
    """Return all of the certificates, or none: an incomplete set is worse."""
    if answering.wanted.retrieval is Retrieval.MINI or not found:
        return _certificate_answer(Status.NO_CERTIFICATE, 0, (), recipients)
    if answering.certificates + len(found) > answering.wanted.certificates_max:
        return _certificate_answer(Status.CERTIFICATES_LIMIT, len(found), (), recipients)
    answering.certificates += len(found)
    return _certificate_answer(Status.SUCCESS, len(found), found, recipients)


def _certificate_answer(status: Status, count: int, found: Sequence[Certificate], recipients: int) -> Element:
    return Tags.Certificates(
        Tags.Status(status),
        Tags.CertificateCount(count),
        Tags.RecipientCount(recipients),
        [Tags.Certificate(b64encode(each.der).decode("ascii")) for each in found],
    )


def picture_of(answering: Answering, entry: Entry, sizes: Mapping[int, int]) -> Element:
    """Return the Picture of an entry, as far as one was asked for.

    sizes: bytes, by the id of each account that has one; groups have none.
    """
    size = sizes.get(entry.id) if isinstance(entry, Account) else None
    if size is None:
        return Tags.Picture(Tags.Status(Status.NO_PICTURE))
    if size > answering.wanted.picture_bytes_max:
        return Tags.Picture(Tags.Status(Status.PICTURE_TOO_LARGE))
    limit = answering.wanted.pictures_max
    if (limit is not None and answering.pictures >= limit) or size > answering.picture_room:
        return Tags.Picture(Tags.Status(Status.PICTURE_LIMIT))
    found = pictures.get(entry.id)
    if found is None:  # removed since its size was read
        return Tags.Picture(Tags.Status(Status.NO_PICTURE))
    answering.pictures += 1
    answering.picture_room -= len(found.data)
    return Tags.Picture(Tags.Status(Status.SUCCESS), Tags.Data(found.data))
