"""Search and Find as phones ask: answers by the schema, ranges, statuses, nobody else's mail or pictures."""

from collections.abc import Iterable
from datetime import timedelta

import pytest

from appliance import db
from appliance.accounts import accounts, groups, pictures
from appliance.db.tables import SyncState
from appliance.items.folder import FolderType
from appliance.store import folders, messages
from appliance.wbxml.codepages import (
    GAL,
    AirSync,
    AirSyncBase,
    ComposeMail,
    Email,
    Find,
    ItemOperations,
    Search,
)
from appliance.wbxml.element import Element, Tag
from tests.covers import covers
from tests.unit.eas.world import Phone, body_preference

DAY = timedelta(days=1)
JPEG = b"\xff\xd8\xff" + b"picture" * 20 + b"\xff\xd9"


def mail_query(*conditions: Element) -> Element:
    return Search.Query(Search.And(list(conditions)))


def since(moment: str) -> Element:
    return Search.GreaterThan(Email.DateReceived(), Search.Value(moment))


def until(moment: str) -> Element:
    return Search.LessThan(Email.DateReceived(), Search.Value(moment))


def ask(phone: Phone, name: str, query: Element | None, *options: Element) -> Element:
    """Return the Store of the answer."""
    request = Search.Search(
        Search.Store(Search.Name(name), query, Search.Options(list(options)) if options else None)
    )
    answer = phone.asked("Search", request)
    assert answer.int_of(Search.Status) == 1
    return answer.require(Search.Response).require(Search.Store)


def ask_mail(phone: Phone, text: str, *options: Element) -> Element:
    return ask(phone, "Mailbox", mail_query(AirSync.Class("Email"), Search.FreeText(text)), *options)


def status(store: Element) -> int | None:
    return store.int_of(Search.Status)


def ids(store: Element) -> list[int]:
    results = store.find_all(Search.Result)
    return [int(result.text_of(Search.LongId, "")) for result in results if result.children]


def find(phone: Phone, criterion: Element, **headers: object) -> Element:
    return phone.asked("Find", Find.Find(Find.SearchId("1"), Find.ExecuteSearch(criterion)), **headers)


def find_mail(phone: Phone, text: str, *scope: Element, options: Iterable[Element] = ()) -> Element:
    """Return the Response of the answer."""
    criterion = Find.MailBoxSearchCriterion(
        Find.Query(AirSync.Class("Email"), list(scope), Find.FreeText(text)), Find.Options(list(options))
    )
    answer = find(phone, criterion)
    assert answer.int_of(Find.Status) == 1
    return answer.require(Find.Response)


def found_ids(response: Element) -> list[int]:
    return [int(result.text_of(AirSync.ServerId, "")) for result in response.find_all(Find.Result)]


@pytest.fixture
def filled(phone: Phone) -> list[int]:
    """Ids of five messages in the Inbox, the newest first; one more elsewhere."""
    inbox = phone.folder(FolderType.INBOX)
    made = [
        phone.server.file(phone.account, inbox, f"contract {number} Vertrag", number * DAY)
        for number in range(5)
    ]
    phone.server.file(phone.account, phone.folder(FolderType.SENT), "offer elsewhere", 9 * DAY)
    return made


# --- mail by Search -------------------------------------------------------------------------------------


@covers("MS-ASCMD_R3846", "MS-ASCMD_R3849", "MS-ASCMD_R4327", "MS-ASCMD_R4638")
def test_a_search_finds_newest_first_with_range_and_total(phone: Phone, filled: list[int]):
    store = ask_mail(phone, "vertrag", Search.RebuildResults(), Search.Range("0-2"))
    assert (status(store), ids(store)) == (1, filled[:3])
    assert (store.text_of(Search.Range), store.text_of(Search.Total)) == ("0-2", "5")
    store = ask_mail(phone, "vertrag", Search.Range("3-99"))
    assert ids(store) == filled[3:]
    assert (store.text_of(Search.Range), store.text_of(Search.Total)) == ("3-4", "5")


@covers("MS-ASCMD_R3851", "MS-ASCMD_R3862", "MS-ASCMD_R3729")
def test_results_carry_the_properties_in_the_body_that_was_asked_for(phone: Phone, filled: list[int]):
    store = ask_mail(phone, "vertrag", body_preference(1, 5), Search.Range("0-0"))
    (result,) = store.find_all(Search.Result)
    properties = result.require(Search.Properties)
    assert properties.text_of(Email.Subject) == "contract 0 Vertrag"
    assert result.text_of(AirSync.CollectionId) == str(phone.folder(FolderType.INBOX))
    body = properties.require(AirSyncBase.Body)
    assert (body.text_of(AirSyncBase.Type), body.text_of(AirSyncBase.Data)) == ("1", "contr")
    mime = ask_mail(phone, "vertrag", AirSync.MIMESupport(2), body_preference(4), Search.Range("0-0"))
    assert (
        mime.require(Search.Result)
        .require(Search.Properties)
        .require(AirSyncBase.Body)
        .text_of(AirSyncBase.Data, "")
        .startswith("From: x@example.net")
    )


def test_without_a_preference_bodies_are_short(phone: Phone):
    raw = b"Subject: long\r\n\r\n" + b"word " * 10_000
    phone.server.file_raw(phone.account, phone.folder(FolderType.INBOX), raw)
    body = ask_mail(phone, "long").require(Search.Result).require(Search.Properties).require(AirSyncBase.Body)
    assert len(body.text_of(AirSyncBase.Data, "")) <= 4_096
    assert body.flag_of(AirSyncBase.Truncated)


@covers("MS-ASCMD_R3850")
def test_no_mail_found_is_one_empty_result(phone: Phone, filled: list[int]):
    for store in (
        ask_mail(phone, "absent"),
        ask_mail(phone, "!!!"),
        ask(phone, "Mailbox", mail_query(AirSync.Class("Calendar"), Search.FreeText("vertrag"))),
    ):
        assert [child.tag.name for child in store] == ["Status", "Result", "Total"]
        assert (status(store), store.text_of(Search.Total)) == (1, "0")
        assert not store.require(Search.Result).children


@covers("MS-ASCMD_R922")
def test_conditions_restrict(phone: Phone, filled: list[int]):
    def found(*conditions: Element) -> list[int]:
        return ids(ask(phone, "Mailbox", mail_query(*conditions)))

    text = Search.FreeText("vertrag")
    assert found(text, since("2026-02-28T12:00:00.000Z")) == filled[:2]
    assert found(text, until("2026-02-28T12:00:00.000Z")) == filled[3:]
    assert found(since("2026-03-01T00:00:00.000Z"), until("2026-03-02T00:00:00.000Z")) == filled[1:2]
    assert found(Search.Or(Search.FreeText('"contract 1"'), Search.FreeText('"contract 3"'))) == [
        filled[1],
        filled[3],
    ]
    assert found(text, Search.Or(Search.FreeText('"contract 1"'), Search.FreeText("offer"))) == [filled[1]]
    assert found(AirSync.Class("Email"), AirSync.Class("Calendar"), text) == filled
    with db.connection():
        conversation = messages.get(phone.account.id, filled[2]).conversation_id
    assert found(Search.ConversationId(conversation)) == [filled[2]]
    assert found(Search.ConversationId(conversation), Search.FreeText("absent")) == []


@covers("MS-ASCMD_R2031", "MS-ASCMD_R5856", "MS-ASCMD_R2146")
def test_folders_restrict_and_deep_traversal_goes_below(phone: Phone):
    account, server = phone.account, phone.server
    inbox = phone.folder(FolderType.INBOX)
    child = folders.create(account.id, inbox, "child", FolderType.USER_MAIL).id
    grandchild = folders.create(account.id, child, "grandchild", FolderType.USER_MAIL).id
    places = [inbox, child, grandchild, phone.folder(FolderType.SENT)]
    made = [server.file(account, place, "word", number * DAY) for number, place in enumerate(places)]

    def found(*options: Element, within: Iterable[int]) -> list[int]:
        conditions = [AirSync.CollectionId(str(place)) for place in within]
        return ids(ask(phone, "Mailbox", mail_query(*conditions, Search.FreeText("word")), *options))

    assert found(within=[]) == made
    assert found(within=[inbox]) == made[:1]
    assert found(within=[inbox, places[3]]) == [made[0], made[3]]
    assert found(Search.DeepTraversal(), within=[inbox]) == made[:3]
    assert found(Search.DeepTraversal(), within=[child]) == made[1:3]
    assert found(Search.DeepTraversal(), within=[0]) == made
    for options, expected in (((), made[:1]), ((Find.DeepTraversal(),), made[:3])):
        response = find_mail(phone, "word", AirSync.CollectionId(str(inbox)), options=options)
        assert found_ids(response) == expected
    assert found_ids(find_mail(phone, "word", options=[Find.DeepTraversal()])) == made


@covers("MS-ASCMD_R772", "MS-ASCMD_R923", "MS-ASCMD_R2032", "MS-ASCMD_R2086", "MS-ASCMD_R3105")
@covers("MS-ASCMD_R3143", "MS-ASCMD_R3220", "MS-ASCMD_R4329", "MS-ASCMD_R5815")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Search.Query(Search.FreeText("x")), 8),
        (Search.Query(AirSync.Class("Email")), 8),
        (Search.Query(AirSync.CollectionId("1")), 8),
        (Search.Query(Search.ConversationId(b"x")), 8),
        (Search.Query(since("2026-01-01T00:00:00.000Z")), 8),
        (Search.Query(until("2026-01-01T00:00:00.000Z")), 8),
        (Search.Query(Search.Or(Search.FreeText("x"))), 8),
        (Search.Query(Search.And(Search.FreeText("x")), Search.And(Search.FreeText("y"))), 8),
        (mail_query(Search.And(Search.FreeText("x"))), 8),
        (mail_query(Search.Or(Search.FreeText("x"), AirSync.Class("Email"))), 8),
        (mail_query(Search.Or(Search.FreeText("x"), since("2026-01-01T00:00:00.000Z"))), 8),
        (Search.Query(), 2),
        (Search.Query("text"), 2),
        (mail_query(), 2),
        (mail_query(AirSync.Class("Email")), 2),
        (mail_query(AirSync.Class("Nonsense"), Search.FreeText("x")), 2),
        (mail_query(Search.FreeText("x"), since("yesterday")), 2),
        (mail_query(Search.FreeText("x"), Search.GreaterThan(Search.Value("2026-01-01T00:00:00.000Z"))), 2),
        (mail_query(Search.FreeText("x"), Search.GreaterThan(Email.DateReceived())), 2),
        (mail_query(Search.ConversationId(b"x"), Search.ConversationId(b"y")), 2),
        (mail_query(Search.FreeText("x"), Search.EqualTo()), 2),
        (mail_query(Search.FreeText("x"), AirSync.CollectionId("99999")), 11),
        (mail_query(Search.FreeText("x"), AirSync.CollectionId("nonsense")), 11),
        (None, 2),
    ],
)
def test_what_cannot_be_answered_gets_its_status(phone: Phone, query: Element | None, expected: int):
    store = ask(phone, "Mailbox", query)
    assert (status(store), len(store.children)) == (expected, 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("0-99", 1), ("0-0", 1), ("4-4", 1), ("0-100", 12), ("5-9", 12), ("900-999", 12)),
        *(("3-1", 2), ("x", 2), ("-1-5", 2), ("0-", 2), ("", 2), ("٠-٩", 2)),
    ],
)
def test_ranges(phone: Phone, filled: list[int], text: str, expected: int):
    assert status(ask_mail(phone, "vertrag", Search.Range(text))) == expected
    if (expected == 12 and text == "0-100") or expected == 2:
        assert status(ask(phone, "GAL", Search.Query("anna"), Search.Range(text))) == expected


def test_malformed_options_are_refused(phone: Phone, filled: list[int]):
    assert status(ask_mail(phone, "vertrag", body_preference(9))) == 2
    assert status(ask_mail(phone, "vertrag", AirSync.MIMESupport("x"))) == 2
    assert status(ask_mail(phone, "vertrag", Search.DeepTraversal("x"))) == 2
    answer = phone.asked("Search", Search.Search())
    assert answer.int_of(Search.Status) == 103
    answer = phone.asked("Search", AirSync.Sync())
    assert answer.int_of(Search.Status) == 103


@covers("MS-ASCMD_R2143", "MS-ASCMD_R3374", "MS-ASCMD_R3723", "MS-ASCMD_R3747", "MS-ASCMD_R4535")
def test_what_is_said_twice_counts_once(phone: Phone, filled: list[int]):
    for first, second in (
        (Search.DeepTraversal(), Search.DeepTraversal()),
        (AirSync.MIMESupport(0), AirSync.MIMESupport(2)),
        (Search.Range("0-99"), Search.Range("9-1")),
        (Search.RebuildResults(), Search.RebuildResults()),
    ):
        store = ask_mail(phone, "vertrag", first, second)
        assert (status(store), ids(store)) == (1, filled), first.tag.name
    both = [
        Search.Store(Search.Name("Mailbox"), mail_query(Search.FreeText(text)))
        for text in ("vertrag", "offer")
    ]
    answer = phone.asked("Search", Search.Search(both))
    assert answer.int_of(Search.Status) == 1
    assert ids(answer.require(Search.Response).require(Search.Store)) == filled


@covers("MS-ASCMD_R920", "MS-ASCMD_R1322")
@pytest.mark.parametrize("name", ["Tasks", "Email", "Calendar", "Contacts", "Notes", "SMS"])
def test_every_class_may_be_named(phone: Phone, filled: list[int], name: str):
    store = ask(phone, "Mailbox", mail_query(AirSync.Class(name), Search.FreeText("vertrag")))
    assert (status(store), ids(store)) == (1, filled if name == "Email" else [])
    classes = [result.text_of(AirSync.Class) for result in store.find_all(Search.Result) if result.children]
    assert classes == ["Email"] * len(ids(store))


SEALED = (
    b"From: x@example.net\r\nSubject: sealed\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name="smime.p7m"\r\n'
    b"Content-Transfer-Encoding: base64\r\n\r\nMIIB\r\n"
)


@covers("MS-ASCMD_R3383", "MS-ASCMD_R3384", "MS-ASCMD_R3387", "MS-ASCMD_R3388")
@pytest.mark.parametrize("support", [1, 2])
def test_sealed_mail_is_found_whole(phone: Phone, inbox: int, support: int):
    phone.server.file_raw(phone.account, inbox, SEALED)
    store = ask_mail(phone, "sealed", AirSync.MIMESupport(support), body_preference(4))
    body = store.require(Search.Result).require(Search.Properties).require(AirSyncBase.Body)
    assert [(child.tag.name, child.text) for child in body] == [
        ("Type", "4"),
        ("EstimatedDataSize", str(len(SEALED))),
        ("Truncated", "0"),
        ("Data", SEALED.decode()),
    ]


def test_a_large_answer_ends_early_and_says_where(phone: Phone, filled: list[int]):
    phone.server.eas = type(phone.server.eas)(response_bytes_max=65_536)
    inbox = phone.folder(FolderType.INBOX)
    for number in range(4):
        raw = f"Subject: large {number}\r\n\r\n".encode() + b"word " * 6_000
        phone.server.file_raw(phone.account, inbox, raw)
    store = ask_mail(phone, "large", body_preference(1))
    assert (len(ids(store)), store.text_of(Search.Range), store.text_of(Search.Total)) == (2, "0-1", "4")


def test_documents_are_never_looked_for(phone: Phone, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("socket.socket", lambda *arguments: pytest.fail("a connection"))
    query = Search.Query(Search.EqualTo(Search.Value("\\\\fileserver\\share")))
    store = ask(phone, "DocumentLibrary", query, Search.UserName("x"), Search.Password("y"))
    assert (status(store), len(store.children)) == (13, 1)
    assert status(ask(phone, "Elsewhere", query)) == 2


# --- what can be done with results -----------------------------------------------------------------------


def test_results_are_fetched_and_answered_by_their_ids(phone: Phone, filled: list[int]):
    store = ask_mail(phone, '"contract 3"')
    (result,) = store.find_all(Search.Result)
    long_id = result.text_of(Search.LongId, "")
    fetch = ItemOperations.Fetch(
        ItemOperations.Store("Mailbox"),
        Search.LongId(long_id),
        ItemOperations.Options(body_preference(1)),
    )
    answer = phone.asked("ItemOperations", ItemOperations.ItemOperations(fetch))
    fetched = answer.require(ItemOperations.Response).require(ItemOperations.Fetch)
    assert fetched.int_of(ItemOperations.Status) == 1
    assert fetched.require(ItemOperations.Properties).text_of(Email.Subject) == "contract 3 Vertrag"
    reply = ComposeMail.SmartReply(
        ComposeMail.ClientId("c1"),
        ComposeMail.Source(ComposeMail.LongId(long_id)),
        ComposeMail.Mime(b"To: x@example.net\r\nSubject: Re\r\n\r\nYes\r\n"),
    )
    assert phone.command("SmartReply", reply) is None
    with db.connection():
        assert messages.get(phone.account.id, filled[3]).last_verb == 1


def test_find_names_items_as_sync_does(phone: Phone, filled: list[int]):
    response = find_mail(phone, 'subject:"contract 1"')
    (result,) = response.find_all(Find.Result)
    fetch = ItemOperations.Fetch(
        ItemOperations.Store("Mailbox"),
        AirSync.CollectionId(result.text_of(AirSync.CollectionId, "")),
        AirSync.ServerId(result.text_of(AirSync.ServerId, "")),
    )
    answer = phone.asked("ItemOperations", ItemOperations.ItemOperations(fetch))
    fetched = answer.require(ItemOperations.Response).require(ItemOperations.Fetch)
    assert fetched.require(ItemOperations.Properties).text_of(Email.Subject) == "contract 1 Vertrag"


def test_a_search_does_not_touch_synchronisation(phone: Phone, inbox: int):
    phone.prime(inbox)
    phone.server.file(phone.account, inbox, "word")

    def states() -> list[tuple[object, ...]]:
        with db.connection():
            return list(SyncState.select().tuples())

    before = states()
    ask_mail(phone, "word")
    find_mail(phone, "word")
    assert states() == before
    assert len(phone.sync(inbox).ids(AirSync.Add)) == 1
    before = states()
    ask_mail(phone, "word")
    assert phone.sync(inbox).is_empty
    assert states() == before


@covers("MS-ASCMD_R72172515")
def test_nobody_searches_in_other_mailboxes(either_phone: Phone):
    mine = either_phone
    other = Phone(mine.server, mine.server.account("ben"))
    theirs = other.folder(FolderType.INBOX)
    other.server.file(other.account, theirs, "secret")
    folder = AirSync.CollectionId(str(theirs))
    nowhere = AirSync.CollectionId("987654")
    assert ids(ask_mail(mine, "secret")) == []
    assert found_ids(find_mail(mine, "secret")) == []
    stranger = ask(mine, "Mailbox", mail_query(folder, Search.FreeText("secret")))
    nobody = ask(mine, "Mailbox", mail_query(nowhere, Search.FreeText("secret")))
    assert stranger == nobody
    assert status(stranger) == 11
    answers = [
        find(mine, Find.MailBoxSearchCriterion(Find.Query(Find.FreeText("secret"), one)))
        for one in (folder, nowhere)
    ]
    assert answers[0] == answers[1] == Find.Find(Find.Status(3))
    assert len(ids(ask_mail(other, "secret"))) == 1


# --- mail by Find ----------------------------------------------------------------------------------------


@covers("MS-ASEMAIL_R6000")
@covers("MS-ASCMD_R72172509")
def test_find_shows_what_a_list_of_hits_needs(phone: Phone):
    raw = (
        b'From: "Jonas Brandt" <jonas@example.net>\r\nTo: "Mara Feldt" <mara@example.test>\r\n'
        b'Cc: "One" <one@example.net>, two@example.net\r\nSubject: Vertrag\r\nMIME-Version: 1.0\r\n'
        b"Importance: high\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\n\r\nGood day\r\n"
        b"--b\r\nContent-Disposition: attachment; filename=plan.pdf\r\n\r\nx\r\n--b--\r\n"
    )
    item_id = phone.server.file_raw(phone.account, phone.folder(FolderType.INBOX), raw)
    response = find_mail(phone, 'from:"Jonas Brandt"', options=[Find.Range("0-99")])
    assert found_ids(response) == [item_id]
    assert (response.text_of(Find.Range), response.text_of(Find.Total)) == ("0-0", "1")
    assert response.text_of(ItemOperations.Store) == "Mailbox"
    properties = response.require(Find.Result).require(Find.Properties)
    assert {child.tag.name: child.text for child in properties} == {
        "Subject": "Vertrag",
        "DateReceived": "2026-03-02T12:00:00.000Z",
        "DisplayTo": "Mara Feldt",
        "DisplayCc": "One;two@example.net",
        "Importance": "2",
        "Read": "0",
        "Preview": "Good day",
        "HasAttachments": "1",
        "From": '"Jonas Brandt" <jonas@example.net>',
    }
    for text, is_found in (
        ("hasattachment:true", True),
        ("attachment:plan", True),
        ("from:mara", False),
        ("to:mara received>=2026-03-02", True),
        ("to:mara received<2026-03-02", False),
        ("brandt -vertrag", False),
    ):
        assert found_ids(find_mail(phone, text)) == ([item_id] if is_found else []), text


@covers("MS-ASCMD_R38391805", "MS-ASCMD_R72172520")
def test_find_finds_nothing(phone: Phone, filled: list[int]):
    response = find_mail(phone, "absent")
    assert [(child.tag.name, child.text) for child in response] == [
        ("Store", "Mailbox"),
        ("Status", "1"),
        ("Total", "0"),
    ]


@covers("MS-ASCMD_R37071816", "MS-ASCMD_R72172521", "MS-ASCMD_R72172518")
def test_find_ranges(phone: Phone, filled: list[int]):
    response = find_mail(phone, "vertrag", options=[Find.Range("0-1")])
    assert (found_ids(response), response.text_of(Find.Total)) == (filled[:2], "5")
    assert len(found_ids(find_mail(phone, "vertrag", options=[Find.Range("0-999")]))) == 5
    for text, expected in (("1-5", 4), ("5-1", 2), ("x", 2), ("", 2)):
        response = find_mail(phone, "vertrag", options=[Find.Range(text)])
        assert (response.int_of(Find.Status), found_ids(response)) == (expected, [])


@covers("MS-ASCMD_R72172512")
@pytest.mark.parametrize(
    "document",
    [
        Find.Find(),
        Find.Find(Find.SearchId("1")),
        Find.Find(Find.SearchId("1"), Find.ExecuteSearch()),
        Find.Find(Find.ExecuteSearch(Find.MailBoxSearchCriterion(Find.Query(Find.FreeText("x"))))),
        Find.Find(Find.SearchId("1"), Find.ExecuteSearch(Find.MailBoxSearchCriterion())),
        Find.Find(Find.SearchId("1"), Find.ExecuteSearch(Find.MailBoxSearchCriterion(Find.Query()))),
        Find.Find(Find.SearchId("1"), Find.ExecuteSearch(Find.GALSearchCriterion())),
        Find.Find(Find.SearchId("1"), Find.ExecuteSearch(Find.Query("x"))),
        Find.Find(Find.SearchId("x" * 65), Find.ExecuteSearch(Find.GALSearchCriterion(Find.Query("x")))),
        Find.Find(
            Find.SearchId("1"),
            Find.ExecuteSearch(
                Find.MailBoxSearchCriterion(Find.Query(Find.FreeText("x"), AirSync.Class("Nonsense")))
            ),
        ),
    ],
)
def test_find_refuses_what_is_no_search(phone: Phone, document: Element):
    assert phone.asked("Find", document) == Find.Find(Find.Status(2))


def test_find_came_with_16_1(phone: Phone):
    answer = find(phone, Find.GALSearchCriterion(Find.Query("anna")), version="14.1")
    assert answer == Find.Find(Find.Status(138))


# --- people ----------------------------------------------------------------------------------------------


@pytest.fixture
def office(phone: Phone) -> Phone:
    for name, display_name in (("ines.okafor", "Ines Okafor"), ("zoe", "Zoë Brandt"), ("mb", "Max Brandt")):
        account = phone.server.account(name)
        accounts.set_display_name(account.id, display_name)
    gone = phone.server.account("brandt.gone")
    accounts.set_enabled(gone.id, False)
    return phone


def people(store: Element) -> list[str]:
    results = [result for result in store.find_all(Search.Result) if result.children]
    return [result.require(Search.Properties).text_of(GAL.DisplayName, "") for result in results]


@covers("MS-ASCMD_R132000", "MS-ASCMD_R132004", "MS-ASCMD_R421", "MS-ASCMD_R426", "MS-ASCMD_R3699")
@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("okaf", ["Ines Okafor"]),
        ("INES OKA", ["Ines Okafor"]),
        ("okafor ines", ["Ines Okafor"]),
        ("ines.oka", ["Ines Okafor"]),
        ("ines.okafor@example.test", ["Ines Okafor"]),
        ("zoe", ["Zoë Brandt"]),
        ("zoë", ["Zoë Brandt"]),
        ("brandt", ["Max Brandt", "Zoë Brandt"]),
        ("fort", []),
        ("%", []),
        ("_", []),
        ("*", []),
        ("i%", ["Ines Okafor"]),
        ("test", []),
        ("example", []),
        ("gone", []),
    ],
)
def test_people_are_found_by_beginnings(office: Phone, text: str, names: list[str]):
    store = ask(office, "GAL", Search.Query(text), Search.Range("0-49"))
    assert people(store) == names
    assert store.text_of(Search.Total) == str(len(names))
    response = find(office, Find.GALSearchCriterion(Find.Query(text))).require(Find.Response)
    properties = [result.require(Find.Properties) for result in response.find_all(Find.Result)]
    assert [one.text_of(GAL.DisplayName) for one in properties] == names


@covers("MS-ASCMD_R5711", "MS-ASCMD_R3691", "MS-ASCMD_R3692", "MS-ASCMD_R5287")
def test_an_entry_says_only_what_is_known(office: Phone):
    store = ask(office, "GAL", Search.Query("okaf"))
    properties = store.require(Search.Result).require(Search.Properties)
    assert {child.tag.name: child.text for child in properties} == {
        "DisplayName": "Ines Okafor",
        "Alias": "ines.okafor",
        "EmailAddress": "ines.okafor@example.test",
    }
    nameless = ask(office, "GAL", Search.Query("anna")).require(Search.Result).require(Search.Properties)
    assert nameless.text_of(GAL.DisplayName) == "anna@example.test"


@covers("MS-ASCMD_R419", "MS-ASCMD_R420", "MS-ASCMD_R431")
def test_people_come_in_pages(office: Phone):
    store = ask(office, "GAL", Search.Query("brandt"), Search.Range("1-1"))
    assert (people(store), store.text_of(Search.Range), store.text_of(Search.Total)) == (
        ["Zoë Brandt"],
        "1-1",
        "2",
    )
    assert status(ask(office, "GAL", Search.Query("brandt"), Search.Range("2-3"))) == 12
    assert status(ask(office, "GAL", Search.Query(" "))) == 2
    assert status(ask(office, "GAL", None)) == 2


def picture_states(office: Phone, *limits: Element) -> list[str]:
    store = ask(office, "GAL", Search.Query("brandt"), Search.Picture(list(limits)))
    shown = [
        result.require(Search.Properties).require(GAL.Picture) for result in store.find_all(Search.Result)
    ]
    for picture in shown:
        data = picture.find(GAL.Data)
        assert (data.data if data is not None else b"") == (
            JPEG if picture.text_of(GAL.Status) == "1" else b""
        )
    return [picture.text_of(GAL.Status, "") for picture in shown]


@covers("MS-ASCMD_R2135", "MS-ASCMD_R3310", "MS-ASCMD_R3311", "MS-ASCMD_R3674", "MS-ASCMD_R4371")
@covers("MS-ASCMD_R4372", "MS-ASCMD_R4373", "MS-ASCMD_R4374", "MS-ASCMD_R4375")
def test_pictures_come_with_their_limits(office: Phone):
    assert picture_states(office) == ["173", "173"]
    for address in ("mb@example.test", "zoe@example.test"):
        with db.connection():
            account = accounts.require(address)
        pictures.put(account.id, JPEG)
    assert picture_states(office) == ["1", "1"]
    assert picture_states(office, Search.MaxPictures("1")) == ["1", "175"]
    assert picture_states(office, Search.MaxPictures("0")) == ["175", "175"]
    assert picture_states(office, Search.MaxSize("10")) == ["174", "174"]
    assert picture_states(office, Search.MaxSize(str(len(JPEG)))) == ["1", "1"]
    store = ask(office, "GAL", Search.Query("brandt"), Search.Picture(Search.MaxSize("x")))
    assert status(store) == 2
    criterion = Find.GALSearchCriterion(
        Find.Query("brandt"), Find.Options(Find.Picture(Find.MaxPictures("1")))
    )
    results = find(office, criterion).require(Find.Response).find_all(Find.Result)
    states = [one.require(Find.Properties).require(GAL.Picture).text_of(GAL.Status) for one in results]
    assert states == ["1", "175"]


def test_groups_are_found_beside_people(office: Phone):
    groups.create("brandt.team@example.test", name="Nightshift Brandt")
    groups.create("ops@example.test")
    assert people(ask(office, "GAL", Search.Query("brandt"))) == [
        "Max Brandt",
        "Nightshift Brandt",
        "Zoë Brandt",
    ]
    assert people(ask(office, "GAL", Search.Query("ops"))) == ["ops@example.test"]
    assert picture_states(office) == ["173", "173", "173"]
    with db.connection():
        # A group and an account may have the same number: a picture is the account's.
        group, account = groups.require("brandt.team@example.test"), accounts.require("anna@example.test")
    assert group.id == account.id
    pictures.put(account.id, JPEG)
    assert picture_states(office) == ["173", "173", "173"]


@covers("MS-ASCMD_R3847")
def test_nobody_found_is_no_result(office: Phone):
    store = ask(office, "GAL", Search.Query("absent"))
    assert [(child.tag.name, child.text) for child in store] == [("Status", "1"), ("Total", "0")]


@covers("MS-ASCMD_R1002501", "MS-ASCMD_R131999", "MS-ASCMD_R61641062")
def test_find_tells_of_as_many_people_as_were_asked_for(office: Phone):
    criterion = Find.GALSearchCriterion(Find.Query("brandt"), Find.Options(Find.Range("0-0")))
    response = find(office, criterion).require(Find.Response)
    (properties,) = [result.require(Find.Properties) for result in response.find_all(Find.Result)]
    assert {child.tag: child.text for child in properties} == {
        GAL.DisplayName: "Max Brandt",
        GAL.Alias: "mb",
        GAL.EmailAddress: "mb@example.test",
    }
    assert (response.text_of(Find.Range), response.text_of(Find.Total)) == ("0-0", "2")


@covers("MS-ASCMD_R61641061", "MS-ASCMD_R5286", "MS-ASCMD_R63510605")
@covers("MS-ASCMD_R5293", "MS-ASCMD_R5300", "MS-ASCMD_R5316", "MS-ASCMD_R65590806", "MS-ASCMD_R5323")
@covers("MS-ASCMD_R5330", "MS-ASCMD_R5337", "MS-ASCMD_R5353", "MS-ASCMD_R5360", "MS-ASCMD_R69581706")
@covers("MS-ASCMD_R5368", "MS-ASCMD_R5391")
def test_what_is_known_of_people_is_told_with_people_only(office: Phone):
    office.server.file(office.account, office.folder(FolderType.INBOX), "Ines Okafor")

    def pages(results: Iterable[Element], tag: Tag) -> set[bool]:
        return {child.tag.page == GAL.Alias.page for one in results for child in one.require(tag)}

    assert pages(ask_mail(office, "okafor").find_all(Search.Result), Search.Properties) == {False}
    assert pages(ask(office, "GAL", Search.Query("okafor")).find_all(Search.Result), Search.Properties) == {
        True
    }
    assert pages(find_mail(office, "okafor").find_all(Find.Result), Find.Properties) == {False}
    people = find(office, Find.GALSearchCriterion(Find.Query("okafor"))).require(Find.Response)
    assert pages(people.find_all(Find.Result), Find.Properties) == {True}


def test_no_picture_without_asking(office: Phone):
    properties = ask(office, "GAL", Search.Query("okaf")).require(Search.Result).require(Search.Properties)
    assert properties.find(GAL.Picture) is None
