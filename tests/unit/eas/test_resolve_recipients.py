"""ResolveRecipients: who is meant, and what is told of them. Answers are checked by schema."""

from base64 import b64decode
from datetime import UTC, datetime, timedelta

import pytest

from appliance.accounts import accounts, certificates, groups, pictures
from appliance.eas import recipient_details
from appliance.eas.commands import resolve_recipients
from appliance.eas.commands.resolve_recipients import RECIPIENTS_MAX, parse
from appliance.eas.status import ProtocolError
from appliance.items.account import Account
from appliance.wbxml.codepages import ResolveRecipients as Tags
from appliance.wbxml.element import Element
from tests.covers import covers
from tests.fakes.pki import NOW, Issued, authority, issue, person
from tests.unit.eas.world import Phone

ROOT = issue(authority("root"))
JPEG = b"\xff\xd8\xff\xe0" + b"x" * 94 + b"\xff\xd9"
DAY = timedelta(days=1)
NAMES = {"ines": "Ines Okafor", "brandt": "Karl Brandt", "brandis": "Käthe Brandis", "plain": ""}


@pytest.fixture
def people(phone: Phone) -> dict[str, Account]:
    return make_people(phone)


def make_people(phone: Phone) -> dict[str, Account]:
    return {
        name: accounts.create(f"{name}@example.test", "a long enough password", display_name=shown)
        for name, shown in NAMES.items()
    }


def ask(phone: Phone, *to: str, options: Element | None = None) -> list[Element]:
    document = Tags.ResolveRecipients([Tags.To(each) for each in to], options)
    answer = phone.asked("ResolveRecipients", document)
    assert answer.int_of(Tags.Status) == 1
    found = answer.find_all(Tags.Response)
    assert [each.text_of(Tags.To) for each in found] == list(to)
    return found


def told(response: Element) -> tuple[int, int, list[str]]:
    """Return the status, the count and the addresses of a Response."""
    return (
        response.int_of(Tags.Status, 0),
        response.int_of(Tags.RecipientCount, -1),
        [each.text_of(Tags.EmailAddress, "") for each in response.find_all(Tags.Recipient)],
    )


def fault(phone: Phone, document: Element | bytes) -> int:
    answer = phone.asked("ResolveRecipients", document)
    assert [child.tag for child in answer] == [Tags.Status]
    return answer.int_of(Tags.Status, 0)


def availability(start: str | None, end: str | None = None) -> Element:
    return Tags.Options(
        Tags.Availability(
            Tags.StartTime(start) if start is not None else None,
            Tags.EndTime(end) if end is not None else None,
        )
    )


# --- who is meant -----------------------------------------------------------------------------------


INES, BRANDT, BRANDIS = (f"{name}@example.test" for name in ("ines", "brandt", "brandis"))


@covers("MS-ASCMD_R4268", "MS-ASCMD_R4275")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ines@example.test", (1, 1, [INES])),
        ("INES@Example.Test", (1, 1, [INES])),
        ("Somebody <ines@example.test>", (1, 1, [INES])),
        ("ines+shop@example.test", (1, 1, [INES])),
        ("office@example.test", (1, 1, [INES])),  # an alias
        ("Ines", (1, 1, [INES])),
        ("okaf", (1, 1, [INES])),
        ("ines oka", (1, 1, [INES])),
        ("kathe", (1, 1, [BRANDIS])),
        ("plain", (1, 1, ["plain@example.test"])),
        ("Brand", (2, 2, [BRANDT, BRANDIS])),
        ("nobody", (4, 0, [])),
        ("ines@example.net", (4, 0, [])),
        ("nobody@example.test", (4, 0, [])),
        ("%", (4, 0, [])),
        ("", (4, 0, [])),
        ("away", (4, 0, [])),  # takes no mail
        ("away@example.test", (4, 0, [])),
    ],
)
def test_an_address_an_alias_or_the_beginning_of_a_name(
    phone: Phone, people: dict[str, Account], text: str, expected: tuple[int, int, list[str]]
) -> None:
    accounts.add_alias(people["ines"].id, "office@example.test")
    accounts.set_enabled(phone.server.account("away").id, False)
    (response,) = ask(phone, text)
    assert told(response) == (*expected[:2], expected[2])


def test_whose_whole_name_it_is_is_meant_alone(phone: Phone, people: dict[str, Account]) -> None:
    accounts.create("k@example.test", "a long enough password", display_name="Karl")
    assert told(ask(phone, "karl")[0])[0] == 1
    assert told(ask(phone, "kar")[0])[:2] == (2, 2)


@covers("MS-ASCMD_R3761", "MS-ASCMD_R3762", "MS-ASCMD_R4279", "MS-ASCMD_R4284")
@pytest.mark.parametrize(("limit", "status", "shown"), [(2, 2, 2), (9999, 2, 2), (1, 3, 1), (0, 3, 0)])
def test_the_phone_says_how_many_suggestions_it_takes(
    phone: Phone, people: dict[str, Account], limit: int, status: int, shown: int
) -> None:
    options = Tags.Options(Tags.MaxAmbiguousRecipients(limit))
    found = told(ask(phone, "brand", options=options)[0])
    assert (found[0], found[1], len(found[2])) == (status, 2, shown)


def test_suggestions_have_a_ceiling_over_all(
    phone: Phone, people: dict[str, Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolve_recipients, "SUGGESTIONS_MAX", 3)
    assert [told(each)[0] for each in ask(phone, "brand", "bran", "ines", "bra")] == [2, 3, 1, 3]


@covers("MS-ASCMD_R343", "MS-ASCMD_R3825")
def test_a_recipient_is_told_in_the_order_of_the_schema(either_phone: Phone) -> None:
    make_people(either_phone)
    options = Tags.Options(
        Tags.CertificateRetrieval(2),
        Tags.Availability(Tags.StartTime("2026-03-10T07:00:00.000Z")),
        Tags.Picture(),
    )
    (response,) = ask(either_phone, "ines", options=options)
    recipient = response.require(Tags.Recipient)
    assert [child.tag for child in recipient] == [
        Tags.Type, Tags.DisplayName, Tags.EmailAddress, Tags.Availability, Tags.Certificates, Tags.Picture,
    ]  # fmt: skip
    assert (recipient.text_of(Tags.Type), recipient.text_of(Tags.DisplayName)) == ("1", "Ines Okafor")


def test_who_has_no_name_is_called_by_the_address(phone: Phone, people: dict[str, Account]) -> None:
    recipient = ask(phone, "plain")[0].require(Tags.Recipient)
    assert recipient.text_of(Tags.DisplayName) == "plain@example.test"
    assert [child.tag for child in recipient] == [Tags.Type, Tags.DisplayName, Tags.EmailAddress]


# --- free times -------------------------------------------------------------------------------------


@covers("MS-ASCMD_R3329", "MS-ASCMD_R3330", "MS-ASCMD_R2265", "MS-ASCMD_R3338", "MS-ASCMD_R3339")
@covers("MS-ASCMD_R819", "MS-ASCMD_R3319", "MS-ASCMD_R4291")
@pytest.mark.parametrize(
    ("start", "end", "digits"),
    [
        ("2026-03-10T07:00:00.000Z", "2026-03-10T17:00:00.000Z", 20),
        ("2026-03-10T07:00:00.000Z", "2026-03-10T07:30:00.000Z", 1),
        ("2026-03-10T07:00:00.000Z", "2026-03-10T07:30:00.001Z", 2),
        ("2026-03-10T07:15:00.000Z", "2026-03-10T08:15:00.000Z", 2),
        ("20260310T070000Z", "20260310T080000Z", 2),
        ("2026-03-10T07:00:00.000Z", None, 7 * 48),
        ("2026-03-10T07:00:00.000Z", "2026-04-21T07:00:00.000Z", 42 * 48),
    ],
)
def test_no_data_is_told_for_every_begun_half_hour(
    phone: Phone, people: dict[str, Account], start: str, end: str | None, digits: int
) -> None:
    (response,) = ask(phone, INES, options=availability(start, end))
    found = response.require(Tags.Recipient).require(Tags.Availability)
    assert (found.int_of(Tags.Status), found.text_of(Tags.MergedFreeBusy)) == (1, "4" * digits)


@covers("MS-ASCMD_R2264", "MS-ASCMD_R2266", "MS-ASCMD_R3986", "MS-ASCMD_R5175")
@pytest.mark.parametrize(
    ("start", "end"),
    [
        (None, None),
        ("", "2026-03-10T17:00:00.000Z"),
        ("tomorrow", None),
        ("2026-03-10T07:00:00.000Z", "never"),
        ("2026-03-10T07:00:00.000Z", "2026-03-10T07:29:59.999Z"),
        ("2026-03-10T07:00:00.000Z", "2026-03-10T06:00:00.000Z"),
        ("2026-03-10T07:00:00.000Z", "2026-04-21T07:00:00.001Z"),
    ],
)
def test_an_interval_that_cannot_be_is_a_protocol_error(
    phone: Phone, start: str | None, end: str | None
) -> None:
    assert fault(phone, Tags.ResolveRecipients(Tags.To(INES), availability(start, end))) == 5


@covers("MS-ASCMD_R4617", "MS-ASCMD_R4618", "MS-ASCMD_R4623", "MS-ASCMD_R4624")
def test_suggestions_have_neither_free_times_nor_certificates(
    phone: Phone, people: dict[str, Account]
) -> None:
    options = Tags.Options(
        Tags.CertificateRetrieval(2), Tags.Availability(Tags.StartTime("2026-03-10T07:00:00.000Z"))
    )
    responses = ask(phone, "brand", "nobody", options=options)
    recipients = [found for response in responses for found in response.find_all(Tags.Recipient)]
    tags = [Tags.Type, Tags.DisplayName, Tags.EmailAddress]
    assert [[child.tag for child in found] for found in recipients] == [tags, tags]


def test_older_versions_have_less() -> None:
    options = Tags.Options(Tags.Availability(), Tags.Picture(Tags.MaxSize(1)))
    assert parse(options, "12.1") == resolve_recipients.Wanted()
    assert not parse(Tags.Options(Tags.Picture()), "14.0").with_pictures
    assert parse(Tags.Options(Tags.Picture()), "14.1").with_pictures
    with pytest.raises(ProtocolError):
        parse(options, "14.0")  # an Availability without StartTime counts there


# --- certificates -----------------------------------------------------------------------------------


def certified(account: Account, **plan: object) -> Issued:
    issued = issue(person(account.address, **plan), ROOT)
    certificates.add(account.id, issued.der, now=issued.plan.begins)
    return issued


def secrets(response: Element) -> tuple[int, int, int, list[bytes]]:
    found = response.require(Tags.Recipient).require(Tags.Certificates)
    assert found.find(Tags.MiniCertificate) is None
    return (
        found.int_of(Tags.Status, 0),
        found.int_of(Tags.CertificateCount, -1),
        found.int_of(Tags.RecipientCount, -1),
        [b64decode(each.text, validate=True) for each in found.find_all(Tags.Certificate)],
    )


@covers("MS-ASCMD_R843", "MS-ASCMD_R857", "MS-ASCMD_R4302", "MS-ASCMD_R4304", "MS-ASCMD_R3764")
@covers("MS-ASCMD_R3435")
def test_valid_certificates_are_told_and_others_are_not(phone: Phone, people: dict[str, Account]) -> None:
    short = certified(people["ines"], ends=NOW + DAY)
    long = certified(people["ines"])
    later = certified(people["ines"], begins=NOW + DAY, ends=NOW + 400 * DAY)
    certified(people["brandt"], ends=NOW - DAY)
    options = Tags.Options(Tags.CertificateRetrieval(2))
    ines, brandt = ask(phone, INES, BRANDT, options=options)
    assert secrets(ines) == (1, 2, 1, [long.der, short.der])
    assert secrets(brandt) == (7, 0, 1, [])
    phone.server.clock.step(DAY + timedelta(seconds=1))
    assert secrets(ask(phone, INES, options=options)[0]) == (1, 2, 1, [later.der, long.der])


@covers("MS-ASCMD_R856")
@pytest.mark.parametrize("options", [None, Tags.Options(), Tags.Options(Tags.CertificateRetrieval(1))])
def test_nobody_is_told_certificates_unasked(
    phone: Phone, people: dict[str, Account], options: Element | None
) -> None:
    certified(people["ines"])
    assert ask(phone, INES, options=options)[0].require(Tags.Recipient).find(Tags.Certificates) is None


def test_mini_certificates_do_not_exist(phone: Phone, people: dict[str, Account]) -> None:
    certified(people["ines"])
    options = Tags.Options(Tags.CertificateRetrieval(3))
    assert secrets(ask(phone, INES, options=options)[0]) == (7, 0, 1, [])


@covers("MS-ASCMD_R851", "MS-ASCMD_R3255", "MS-ASCMD_R4306")
def test_a_set_of_certificates_is_told_whole_or_not_at_all(phone: Phone, people: dict[str, Account]) -> None:
    for name in ("ines", "ines", "brandt", "brandis"):
        certified(people[name])

    def statuses(limit: int) -> list[tuple[int, int]]:
        options = Tags.Options(Tags.CertificateRetrieval(2), Tags.MaxCertificates(limit))
        return [secrets(each)[:2] for each in ask(phone, INES, BRANDT, BRANDIS, options=options)]

    assert statuses(4) == [(1, 2), (1, 1), (1, 1)]
    assert statuses(3) == [(1, 2), (1, 1), (8, 1)]
    assert statuses(1) == [(8, 2), (1, 1), (8, 1)]
    assert statuses(0) == [(8, 2), (8, 1), (8, 1)]


# --- groups ---------------------------------------------------------------------------------------------


STAFF = "staff@example.test"
HOUR = ("2026-03-10T07:00:00.000Z", "2026-03-10T08:00:00.000Z")


def group(*members: str) -> None:
    groups.create(STAFF, name="Staff")
    groups.add_members(STAFF, members)


@covers("MS-ASCMD_R4625")
def test_a_group_is_one_recipient(either_phone: Phone) -> None:
    make_people(either_phone)
    group(INES, BRANDT, "outside@example.net")
    (response,) = ask(either_phone, "STAFF@example.test", options=availability(*HOUR))
    assert told(response) == (1, 1, [STAFF])
    recipient = response.require(Tags.Recipient)
    assert (recipient.text_of(Tags.Type), recipient.text_of(Tags.DisplayName)) == ("1", "Staff")
    found = recipient.require(Tags.Availability)
    assert (found.int_of(Tags.Status), found.text_of(Tags.MergedFreeBusy)) == (1, "44")
    plain = ask(either_phone, STAFF)[0].require(Tags.Recipient)
    assert [child.tag for child in plain] == [Tags.Type, Tags.DisplayName, Tags.EmailAddress]


@covers("MS-ASCMD_R4294", "MS-ASCMD_R4626")
@pytest.mark.parametrize(("size", "status", "digits"), [(20, 1, "44"), (21, 161, None)])
def test_the_times_of_a_large_group_are_not_merged(
    phone: Phone, size: int, status: int, digits: str | None
) -> None:
    group(*(f"member{number}@example.net" for number in range(size)))
    (response,) = ask(phone, STAFF, options=availability(*HOUR))
    found = response.require(Tags.Recipient).require(Tags.Availability)
    assert (found.int_of(Tags.Status), found.text_of(Tags.MergedFreeBusy)) == (status, digits)


@covers("MS-ASCMD_R3768")
def test_mail_to_a_group_is_sealed_for_all_or_for_nobody(phone: Phone, people: dict[str, Account]) -> None:
    options = Tags.Options(Tags.CertificateRetrieval(2))
    group(INES, BRANDT)
    ines = certified(people["ines"])
    assert secrets(ask(phone, STAFF, options=options)[0]) == (7, 0, 2, [])
    brandt = certified(people["brandt"])
    status, count, recipients, found = secrets(ask(phone, STAFF, options=options)[0])
    assert (status, count, recipients, set(found)) == (1, 2, 2, {ines.der, brandt.der})
    groups.add_members(STAFF, ["outside@example.net"])
    assert secrets(ask(phone, STAFF, options=options)[0]) == (7, 0, 3, [])
    groups.remove_member(STAFF, "outside@example.net")
    one = Tags.Options(Tags.CertificateRetrieval(2), Tags.MaxCertificates(1))
    assert secrets(ask(phone, STAFF, options=one)[0]) == (8, 2, 2, [])


def test_certificates_of_a_very_large_group_are_not_looked_up(
    phone: Phone, people: dict[str, Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipient_details, "CERTIFICATES_MEMBERS_MAX", 1)
    group(INES, BRANDT)
    options = Tags.Options(Tags.CertificateRetrieval(2))
    assert secrets(ask(phone, STAFF, options=options)[0]) == (8, 2, 2, [])


def test_a_group_is_found_by_its_name(phone: Phone, people: dict[str, Account]) -> None:
    group(INES)
    assert told(ask(phone, "staf")[0]) == (1, 1, [STAFF])
    accounts.create("stafford@example.test", "a long enough password", display_name="Stafford")
    assert told(ask(phone, "staf")[0]) == (2, 2, [STAFF, "stafford@example.test"])
    assert told(ask(phone, "staff")[0]) == (1, 1, [STAFF]), "that is its whole name"


def test_a_group_has_no_picture(phone: Phone) -> None:
    group()
    assert shown(ask(phone, STAFF, options=Tags.Options(Tags.Picture()))[0]) == [(173, b"")]


# --- pictures -----------------------------------------------------------------------------------------


def shown(response: Element) -> list[tuple[int, bytes]]:
    found = [each.require(Tags.Picture) for each in response.find_all(Tags.Recipient)]
    return [
        (each.int_of(Tags.Status, 0), data.data if (data := each.find(Tags.Data)) else b"") for each in found
    ]


@covers("MS-ASCMD_R2133", "MS-ASCMD_R3286", "MS-ASCMD_R3287", "MS-ASCMD_R3288", "MS-ASCMD_R3289")
@covers("MS-ASCMD_R5350", "MS-ASCMD_R5351", "MS-ASCMD_R4310", "MS-ASCMD_R4311", "MS-ASCMD_R4312")
@covers("MS-ASCMD_R4313", "MS-ASCMD_R3667", "MS-ASCMD_R4970", "MS-ASCMD_R4972", "MS-ASCMD_R4974")
def test_pictures_go_out_as_far_as_they_are_wanted(phone: Phone, people: dict[str, Account]) -> None:
    pictures.put(people["ines"].id, JPEG)
    pictures.put(people["brandt"].id, JPEG)
    pictures.put(people["brandis"].id, JPEG[:4] + b"y" * 500 + JPEG[-2:])

    def statuses(*limits: Element) -> list[int]:
        options = Tags.Options(Tags.Picture(list(limits)))
        responses = ask(phone, INES, "plain", BRANDIS, BRANDT, options=options)
        return [status for each in responses for status, _ in shown(each)]

    assert statuses() == [1, 173, 1, 1]
    assert statuses(Tags.MaxSize(len(JPEG))) == [1, 173, 174, 1]
    assert statuses(Tags.MaxSize(len(JPEG) - 1)) == [174, 173, 174, 174]
    assert statuses(Tags.MaxPictures(1)) == [1, 173, 175, 175]
    assert statuses(Tags.MaxPictures(0)) == [175, 173, 175, 175]
    assert statuses(Tags.MaxSize(len(JPEG)), Tags.MaxPictures(1)) == [1, 173, 174, 175]
    assert statuses(Tags.MaxPictures(9), Tags.MaxSize(0)) == [174, 173, 174, 174]
    options = Tags.Options(Tags.Picture())
    assert shown(ask(phone, INES, options=options)[0]) == [(1, JPEG)]
    assert shown(ask(phone, "brand", options=options)[0])[0] == (1, JPEG)  # suggestions have faces
    assert ask(phone, INES)[0].require(Tags.Recipient).find(Tags.Picture) is None


def test_pictures_stop_at_the_size_of_an_answer(phone: Phone, people: dict[str, Account]) -> None:
    large = JPEG[:4] + b"y" * 60_000 + JPEG[-2:]
    for name in ("ines", "brandt"):
        pictures.put(people[name].id, large)
    phone.server.eas = type(phone.server.eas)(response_bytes_max=65_536)
    responses = ask(phone, INES, BRANDT, options=Tags.Options(Tags.Picture()))
    assert [status for each in responses for status, _ in shown(each)] == [1, 175]


# --- wrong requests -----------------------------------------------------------------------------------


@covers("MS-ASCMD_R4270", "MS-ASCMD_R5656", "MS-ASCMD_R5873", "MS-ASCMD_R7501")
@pytest.mark.parametrize(
    "document",
    [
        Tags.ResolveRecipients(),
        Tags.ResolveRecipients(Tags.Options()),
        Tags.ResolveRecipients([Tags.To("x")] * (RECIPIENTS_MAX + 1)),
        Tags.ResolveRecipients(Tags.To("x" * 257)),
        Tags.To("x"),
        *(
            Tags.ResolveRecipients(Tags.To("x"), Tags.Options(option))
            for option in (
                Tags.CertificateRetrieval(0), Tags.CertificateRetrieval(4), Tags.CertificateRetrieval("all"),
                Tags.MaxCertificates(-1), Tags.MaxCertificates(10_000), Tags.MaxAmbiguousRecipients(10_000),
                Tags.MaxAmbiguousRecipients("some"), Tags.Picture(Tags.MaxSize(-1)),
                Tags.Picture(Tags.MaxPictures("x")), Tags.Picture(Tags.MaxPictures(-1)),
            )
        ),
    ],
)  # fmt: skip
def test_a_wrong_request_is_a_protocol_error(phone: Phone, document: Element | bytes) -> None:
    assert fault(phone, document) == 5


def test_as_many_as_allowed_are_answered(phone: Phone) -> None:
    responses = ask(phone, *["x" * 256] * RECIPIENTS_MAX)
    assert [told(each)[0] for each in responses] == [4] * RECIPIENTS_MAX


def test_the_shared_example_is_answered_in_its_shape(phone: Phone) -> None:
    ines = accounts.create("ines.okafor@example.test", "a long enough password", display_name="Ines Okafor")
    options = Tags.Options(
        Tags.CertificateRetrieval(2), Tags.MaxCertificates(10), Tags.MaxAmbiguousRecipients(20),
        Tags.Availability(
            Tags.StartTime("2026-03-10T07:00:00.000Z"), Tags.EndTime("2026-03-10T17:00:00.000Z")
        ),
    )  # fmt: skip
    first, second = ask(phone, ines.address, "brandt", options=options)
    expected = Tags.Response(
        Tags.To(ines.address), Tags.Status(1), Tags.RecipientCount(1),
        Tags.Recipient(
            Tags.Type(1), Tags.DisplayName("Ines Okafor"), Tags.EmailAddress(ines.address),
            Tags.Availability(Tags.Status(1), Tags.MergedFreeBusy("4" * 20)),
            Tags.Certificates(Tags.Status(7), Tags.CertificateCount(0), Tags.RecipientCount(1)),
        ),
    )  # fmt: skip
    assert first.to_text(values=True) == expected.to_text(values=True)
    assert told(second) == (4, 0, [])
    assert phone.server.clock.now() == datetime(2026, 3, 2, 12, tzinfo=UTC)
