"""Bodies in the three commands that bring them: whole, cut, all or none, as part, and what is refused."""

from typing import NamedTuple

import pytest

from appliance.items.folder import FolderType
from appliance.wbxml.codepages import AirSync, AirSyncBase, Email, ItemOperations, Search
from tests.covers import covers, covers_each
from tests.unit.eas.test_body_part import part_preference
from tests.unit.eas.world import Phone, body_preference

TEXT = "needle and haystack"
MAIL = f"Subject: x\r\n\r\n{TEXT}".encode()
PAGE = f"Subject: x\r\nContent-Type: text/html\r\n\r\n<p>{TEXT}</p>".encode()
CUT, WHOLE = 6, 100


def synced(phone, inbox, *preferences):
    phone.keys[inbox] = "0"
    phone.sync(inbox)
    return phone.sync(inbox, options=AirSync.Options(list(preferences))).data(AirSync.Add)


def fetch_of(phone, inbox, *preferences):
    (message,) = phone.server.listed(phone.account, inbox)
    operation = ItemOperations.Fetch(
        ItemOperations.Store("Mailbox"),
        AirSync.CollectionId(str(inbox)),
        AirSync.ServerId(str(message.id)),
        ItemOperations.Options(list(preferences)),
    )
    answer = phone.asked("ItemOperations", ItemOperations.ItemOperations(operation))
    return answer.require(ItemOperations.Response).require(ItemOperations.Fetch)


def fetched(phone, inbox, *preferences):
    return fetch_of(phone, inbox, *preferences).require(ItemOperations.Properties)


def store_of(phone, inbox, *preferences):
    query = Search.And(AirSync.Class("Email"), AirSync.CollectionId(str(inbox)), Search.FreeText("needle"))
    document = Search.Search(
        Search.Store(Search.Name("Mailbox"), Search.Query(query), Search.Options(list(preferences)))
    )
    return phone.asked("Search", document).require(Search.Response).require(Search.Store)


def searched(phone, inbox, *preferences):
    return store_of(phone, inbox, *preferences).require(Search.Result).require(Search.Properties)


COMMANDS = {"searched": searched, "synced": synced, "fetched": fetched}


def preferred(size, all_or_none):
    return AirSyncBase.BodyPreference(
        AirSyncBase.Type(1),
        AirSyncBase.TruncationSize(size) if size is not None else None,
        AirSyncBase.AllOrNone(all_or_none) if all_or_none is not None else None,
    )


class Wish(NamedTuple):
    """What is asked for in one command, and what comes of it."""

    command: str
    size: int | None
    all_or_none: int | None
    expected: str | None
    requirements: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.command}-{self.size}-{self.all_or_none}"


ALL_OR_NONE = [
    Wish("searched", WHOLE, 1, TEXT, ("MS-ASAIRS_R53",)),
    Wish("synced", WHOLE, 1, TEXT, ("MS-ASAIRS_R373",)),
    Wish("fetched", WHOLE, 1, TEXT, ("MS-ASAIRS_R54",)),
    Wish("searched", CUT, 1, None, ("MS-ASAIRS_R375",)),
    Wish("synced", CUT, 1, None, ("MS-ASAIRS_R376", "MS-ASEMAIL_R1057")),
    Wish("fetched", CUT, 1, None, ("MS-ASAIRS_R377",)),
    Wish("searched", CUT, 0, "needle", ("MS-ASAIRS_R55",)),
    Wish("synced", CUT, 0, "needle", ("MS-ASAIRS_R378",)),
    Wish("fetched", CUT, 0, "needle", ("MS-ASAIRS_R379",)),
    Wish("searched", WHOLE, 0, TEXT, ("MS-ASAIRS_R380",)),
    Wish("synced", WHOLE, 0, TEXT, ("MS-ASAIRS_R381",)),
    Wish("fetched", WHOLE, 0, TEXT, ("MS-ASAIRS_R382",)),
    Wish("searched", CUT, None, "needle", ("MS-ASAIRS_R73",)),
    Wish("synced", CUT, None, "needle", ("MS-ASAIRS_R420",)),
    Wish("fetched", CUT, None, "needle", ("MS-ASAIRS_R421",)),
    Wish("searched", WHOLE, None, TEXT, ("MS-ASAIRS_R422",)),
    Wish("synced", WHOLE, None, TEXT, ("MS-ASAIRS_R423",)),
    Wish("fetched", WHOLE, None, TEXT, ("MS-ASAIRS_R424",)),
    Wish("synced", None, 1, TEXT, ("MS-ASAIRS_R401",)),
    Wish("synced", None, 0, TEXT, ("MS-ASAIRS_R401",)),
]


@covers_each("wish", ALL_OR_NONE)
def test_all_or_none(phone, inbox, wish):
    phone.server.file_raw(phone.account, inbox, MAIL)
    data = COMMANDS[wish.command](phone, inbox, preferred(wish.size, wish.all_or_none))
    body = data.require(AirSyncBase.Body)
    assert body.text_of(AirSyncBase.Data) == wish.expected
    assert body.int_of(AirSyncBase.EstimatedDataSize) == len(TEXT)
    assert (body.text_of(AirSyncBase.Truncated) == "1") is (wish.expected != TEXT)


PARTS = [
    Wish("searched", CUT, None, "<p>nee", ("MS-ASAIRS_R392", "MS-ASCON_R40", "MS-ASCON_R235")),
    Wish("synced", CUT, None, "<p>nee", ("MS-ASAIRS_R407", "MS-ASCON_R38", "MS-ASCON_R239", "MS-ASCON_R240")),
    Wish("fetched", CUT, None, "<p>nee", ("MS-ASAIRS_R408", "MS-ASCON_R39", "MS-ASAIRS_R403")),
    Wish("searched", WHOLE, None, f"<p>{TEXT}</p>", ("MS-ASAIRS_R409",)),
    Wish("synced", WHOLE, None, f"<p>{TEXT}</p>", ("MS-ASAIRS_R410", "MS-ASAIRS_R283", "MS-ASAIRS_R271")),
    Wish("fetched", WHOLE, None, f"<p>{TEXT}</p>", ("MS-ASAIRS_R411",)),
    Wish("synced", None, 1, f"<p>{TEXT}</p>", ("MS-ASAIRS_R400", "MS-ASAIRS_R294")),
    Wish("synced", None, 0, f"<p>{TEXT}</p>", ("MS-ASAIRS_R400", "MS-ASAIRS_R294")),
]


@covers_each("wish", PARTS)
def test_parts(phone, inbox, wish):
    phone.server.file_raw(phone.account, inbox, PAGE)
    preference = AirSyncBase.BodyPartPreference(
        AirSyncBase.Type(2),
        AirSyncBase.TruncationSize(wish.size) if wish.size is not None else None,
        AirSyncBase.AllOrNone(wish.all_or_none) if wish.all_or_none is not None else None,
    )
    part = COMMANDS[wish.command](phone, inbox, preference).require(AirSyncBase.BodyPart)
    assert part.text_of(AirSyncBase.Data) == wish.expected
    assert part.int_of(AirSyncBase.Status) == 1
    assert part.int_of(AirSyncBase.EstimatedDataSize) == len(f"<p>{TEXT}</p>")
    assert (part.text_of(AirSyncBase.Truncated) == "1") is (wish.size == CUT)


@covers("MS-ASCON_R246", "MS-ASCON_R339", "MS-ASCON_R340")
@pytest.mark.parametrize("command", COMMANDS)
def test_no_part_comes_unless_it_is_asked_for(phone, inbox, command):
    phone.server.file_raw(phone.account, inbox, PAGE)
    data = COMMANDS[command](phone, inbox, body_preference(2))
    assert data.find(AirSyncBase.Body) is not None
    assert data.find(AirSyncBase.BodyPart) is None


@covers("MS-ASCON_R241")
def test_a_part_of_another_form_is_164_in_every_command(phone, inbox):
    phone.server.file_raw(phone.account, inbox, PAGE)
    assert fetch_of(phone, inbox, part_preference(1)).int_of(ItemOperations.Status) == 164
    assert store_of(phone, inbox, part_preference(4)).int_of(Search.Status) == 164
    phone.keys[inbox] = "0"
    phone.sync(inbox)
    assert phone.sync(inbox, options=AirSync.Options(part_preference(3))).status == 164


@covers("MS-ASAIRS_R256", "MS-ASAIRS_R2599")
@pytest.mark.parametrize("length", [1, 6, 255])
def test_a_part_has_its_preview(phone, inbox, length):
    phone.server.file_raw(phone.account, inbox, PAGE)
    part = synced(phone, inbox, part_preference(size=3, preview=length)).require(AirSyncBase.BodyPart)
    assert part.text_of(AirSyncBase.Preview) == TEXT[:length].strip()


@covers("MS-ASAIRS_R77", "MS-ASAIRS_R62", "MS-ASAIRS_R241")
def test_the_own_form_is_the_one_that_is_cut(phone, inbox):
    phone.server.file_raw(phone.account, inbox, PAGE)
    data = synced(phone, inbox, body_preference(1, WHOLE), body_preference(2, 9), part_preference(size=9))
    body = data.require(AirSyncBase.Body)
    assert (body.int_of(AirSyncBase.Type), body.text_of(AirSyncBase.Data)) == (2, "<p>needle")
    assert data.int_of(AirSyncBase.NativeBodyType) == 2
    assert data.require(AirSyncBase.BodyPart).text_of(AirSyncBase.Data) == "<p>needle"


@covers("MS-ASAIRS_R105", "MS-ASAIRS_R386")
def test_what_is_new_and_what_is_changed_comes_with_its_body(phone):
    drafts = phone.folder(FolderType.DRAFTS)
    other = Phone(phone.server, phone.account, "device2")
    for each in (phone, other):
        each.prime(drafts)
    new = AirSync.Add(AirSync.ClientId("1"), AirSync.ApplicationData(Email.Subject("before")))
    item = phone.sync(drafts, commands=[new]).responses[0].text_of(AirSync.ServerId)
    assert other.sync(drafts).data(AirSync.Add).find(AirSyncBase.Body) is not None
    edit = AirSync.ApplicationData(Email.Subject("after"))
    phone.sync(drafts, commands=[AirSync.Change(AirSync.ServerId(item), edit)])
    assert other.sync(drafts).data(AirSync.Change).find(AirSyncBase.Body) is not None


@covers("MS-ASAIRS_R11500", "MS-ASAIRS_R406")
@pytest.mark.parametrize("truncated", [None, 0, 1])
def test_what_a_device_says_of_truncation_is_of_no_account(phone, truncated):
    drafts = phone.folder(FolderType.DRAFTS)
    phone.prime(drafts)
    body = AirSyncBase.Body(
        AirSyncBase.Type(1),
        AirSyncBase.Truncated(truncated) if truncated is not None else None,
        AirSyncBase.Data("a whole text"),
    )
    new = AirSync.Add(AirSync.ClientId("1"), AirSync.ApplicationData(Email.Subject("x"), body))
    (response,) = phone.sync(drafts, commands=[new]).responses
    assert response.int_of(AirSync.Status) == 1
    other = Phone(phone.server, phone.account, "device2")
    assert (
        synced(other, drafts, body_preference(1))
        .require(AirSyncBase.Body)
        .text_of(AirSyncBase.Data, "")
        .strip()
        == "a whole text"
    )


# --- attachments ------------------------------------------------------------------------------------

ATTACHED = (
    b'Subject: x\r\nContent-Type: multipart/mixed; boundary="m"\r\n\r\n'
    b'--m\r\nContent-Type: multipart/related; boundary="r"\r\n\r\n'
    b'--r\r\nContent-Type: text/html\r\n\r\n<img src="cid:logo@1">\r\n'
    b"--r\r\nContent-Type: image/png; name=logo.png\r\nContent-ID: <logo@1>\r\n"
    b"Content-Location: logo.png\r\n\r\nPNG\r\n--r--\r\n"
    b"--m\r\nContent-Type: application/pdf; name=a.pdf\r\n\r\nPDF\r\n"
    b"--m\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ny\r\n--m--\r\n"
)


@covers("MS-ASAIRS_R160", "MS-ASAIRS_R1343", "MS-ASAIRS_R100298", "MS-ASAIRS_R225", "MS-ASAIRS_R2299")
def test_attachments_say_what_they_are(phone, inbox):
    phone.server.file_raw(phone.account, inbox, ATTACHED)
    data = synced(phone, inbox, body_preference(2))
    logo, pdf, message = data.require(AirSyncBase.Attachments).children
    assert f"cid:{logo.text_of(AirSyncBase.ContentId)}" in data.require(AirSyncBase.Body).text_of(
        AirSyncBase.Data, ""
    )
    assert (logo.text_of(AirSyncBase.IsInline), logo.text_of(AirSyncBase.ContentLocation)) == (
        "1",
        "logo.png",
    )
    assert [each.text_of(AirSyncBase.IsInline, "0") for each in (pdf, message)] == ["0", "0"]
    assert [each.int_of(AirSyncBase.Method) for each in (logo, pdf, message)] == [1, 1, 5]
    assert message.text_of(AirSyncBase.DisplayName, "").endswith(".eml")


# --- what is refused --------------------------------------------------------------------------------

NOT_A_NUMBER = AirSyncBase.BodyPreference(AirSyncBase.Type("x"))
TWO_SIZES = AirSyncBase.BodyPreference(
    AirSyncBase.Type(1), AirSyncBase.TruncationSize(1), AirSyncBase.TruncationSize(2)
)
TWO_WISHES = AirSyncBase.BodyPreference(
    AirSyncBase.Type(1), AirSyncBase.TruncationSize(1), AirSyncBase.AllOrNone(1), AirSyncBase.AllOrNone(0)
)


@covers("MS-ASAIRS_R346", "MS-ASAIRS_R10033", "MS-ASAIRS_R10030", "MS-ASAIRS_R10034", "MS-ASAIRS_R351")
@pytest.mark.parametrize("preference", [NOT_A_NUMBER, TWO_SIZES, TWO_WISHES], ids=["type", "sizes", "wishes"])
def test_a_preference_that_makes_no_sense(phone, inbox, preference):
    phone.server.file_raw(phone.account, inbox, MAIL)
    assert fetch_of(phone, inbox, preference).int_of(ItemOperations.Status) == 2
    assert store_of(phone, inbox, preference).int_of(Search.Status) == 2
    phone.keys[inbox] = "0"
    phone.sync(inbox)
    assert phone.sync(inbox, options=AirSync.Options(preference)).status == 4


@covers("MS-ASAIRS_R10016")
def test_two_preferences_of_one_form(phone, inbox):
    phone.prime(inbox)
    assert phone.sync(inbox, options=AirSync.Options(body_preference(1), body_preference(1))).status == 4


@covers("MS-ASAIRS_R10014", "MS-ASAIRS_R10037")
@pytest.mark.parametrize(
    "body",
    [
        AirSyncBase.Body(AirSyncBase.Type("x"), AirSyncBase.Data("y")),
        AirSyncBase.Body(AirSyncBase.Data("y")),
    ],
    ids=["no number", "no Type"],
)
def test_a_body_that_makes_no_sense_is_refused_alone(phone, body):
    drafts = phone.folder(FolderType.DRAFTS)
    phone.prime(drafts)
    new = AirSync.Add(AirSync.ClientId("1"), AirSync.ApplicationData(Email.Subject("x"), body))
    good = AirSync.Add(AirSync.ClientId("2"), AirSync.ApplicationData(Email.Subject("y")))
    told = phone.sync(drafts, commands=[new, good])
    assert [r.int_of(AirSync.Status) for r in told.responses] == [6, 1]
