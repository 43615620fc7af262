"""The Oof property of Settings: read, set, and every way to ask wrongly. Answers are checked by schema."""

from collections.abc import Sequence

import pytest

from appliance import db
from appliance.accounts import out_of_office
from appliance.accounts.out_of_office import TEXT_BYTES_MAX, Audience, OutOfOffice, Reply, State
from appliance.wbxml.codepages import Settings
from appliance.wbxml.element import Element
from tests.covers import covers
from tests.unit.eas.world import Phone

INTERNAL, KNOWN, UNKNOWN = (
    Settings.AppliesToInternal, Settings.AppliesToExternalKnown, Settings.AppliesToExternalUnknown,
)  # fmt: skip
START, END = "2026-07-13T06:00:00.000Z", "2026-07-24T16:00:00.000Z"


def ask(phone: Phone, *content: Element) -> Element:
    answer = phone.asked("Settings", Settings.Settings(Settings.Oof(list(content))))
    assert answer.int_of(Settings.Status) == 1
    return answer.require(Settings.Oof)


def get(phone: Phone, body_type: str = "Text") -> Element:
    answer = ask(phone, Settings.Get(Settings.BodyType(body_type)))
    assert answer.int_of(Settings.Status) == 1
    return answer.require(Settings.Get)


def put(phone: Phone, *content: Element) -> int:
    answer = ask(phone, Settings.Set(list(content)))
    assert [child.tag for child in answer] == [Settings.Status]
    return answer.int_of(Settings.Status, 0)


def message(
    *applies_to: object, enabled: object = 1, text: str | None = None, kind: str | None = "Text"
) -> Element:
    return Settings.OofMessage(
        [tag() for tag in applies_to],
        Settings.Enabled(enabled) if enabled is not None else None,
        Settings.ReplyMessage(text) if text is not None else None,
        Settings.BodyType(kind) if text is not None and kind is not None else None,
    )


def window(start: str | None = START, end: str | None = END, state: int | None = 2) -> Sequence[Element]:
    return [
        Settings.OofState(state) if state is not None else None,
        Settings.StartTime(start) if start is not None else None,
        Settings.EndTime(end) if end is not None else None,
    ]


def stored(phone: Phone) -> OutOfOffice:
    with db.connection():
        return out_of_office.get(phone.account.id)


@covers("MS-ASCMD_R3505", "MS-ASCMD_R3525")
def test_an_account_that_never_was_away_tells_of_all_three_audiences(either_phone: Phone) -> None:
    found = get(either_phone)
    assert found.int_of(Settings.OofState) == 0
    assert [child.tag for child in found] == [Settings.OofState] + [Settings.OofMessage] * 3
    assert [[child.tag for child in each] for each in found.find_all(Settings.OofMessage)] == [
        [INTERNAL, Settings.Enabled], [KNOWN, Settings.Enabled], [UNKNOWN, Settings.Enabled],
    ]  # fmt: skip


@covers("MS-ASCMD_R783", "MS-ASCMD_R785", "MS-ASCMD_R786", "MS-ASCMD_R787", "MS-ASCMD_R5867")
@covers("MS-ASCMD_R793", "MS-ASCMD_R794", "MS-ASCMD_R795", "MS-ASCMD_R796", "MS-ASCMD_R5866")
@covers("MS-ASCMD_R802", "MS-ASCMD_R803", "MS-ASCMD_R804", "MS-ASCMD_R805", "MS-ASCMD_R2251")
@covers("MS-ASCMD_R2252", "MS-ASCMD_R1106", "MS-ASCMD_R5677", "MS-ASCMD_R826")
def test_the_known_example_goes_in_and_comes_out(either_phone: Phone) -> None:
    texts = {INTERNAL: "Bin im Urlaub.", KNOWN: "Out of office until 24 July."}
    messages = [message(tag, text=text) for tag, text in texts.items()] + [message(UNKNOWN, enabled=0)]
    assert put(either_phone, *window(), *messages) == 1
    expected = Settings.Get(
        Settings.OofState(2), Settings.StartTime(START), Settings.EndTime(END),
        [
            Settings.OofMessage(
                tag(), Settings.Enabled(1), Settings.ReplyMessage(text), Settings.BodyType("Text")
            )
            for tag, text in texts.items()
        ],
        Settings.OofMessage(UNKNOWN(), Settings.Enabled(0)),
    )  # fmt: skip
    assert get(either_phone).to_text(values=True) == expected.to_text(values=True)


def test_another_phone_of_the_account_sees_it_and_a_stranger_does_not(phone: Phone) -> None:
    put(phone, Settings.OofState(1), message(INTERNAL, text="Away"))
    assert get(Phone(phone.server, phone.account, "device2")).int_of(Settings.OofState) == 1
    stranger = Phone(phone.server, phone.server.account("ben"))
    assert get(stranger).int_of(Settings.OofState) == 0
    assert put(stranger, Settings.OofState(0)) == 1
    assert stored(phone).state is State.ON


@pytest.mark.parametrize(
    ("said", "kind", "wanted", "heard"),
    [
        ("a <b>", "Text", "Text", "a <b>"),
        ("a <b>", "Text", "HTML", "a &lt;b&gt;"),
        ("<p>a <b>c</b></p>", "HTML", "HTML", "<p>a <b>c</b></p>"),
        ("<p>a <b>c</b></p>", "html", "text", "a c"),
    ],
)
def test_a_text_is_told_in_the_form_that_is_asked_for(
    phone: Phone, said: str, kind: str, wanted: str, heard: str
) -> None:
    assert put(phone, message(INTERNAL, text=said, kind=kind)) == 1
    found = get(phone, wanted).require(Settings.OofMessage)
    assert heard in found.text_of(Settings.ReplyMessage, "")
    assert found.text_of(Settings.BodyType) == {"text": "Text", "html": "HTML"}[wanted.lower()]


def test_what_a_set_does_not_mention_stays(phone: Phone) -> None:
    put(phone, *window(), message(INTERNAL, text="In"), message(KNOWN, text="Out"))
    before = stored(phone)
    assert put(phone, message(KNOWN, enabled=0)) == 1
    assert stored(phone).replies == {
        Audience.INTERNAL: Reply(True, "In"), Audience.KNOWN: Reply(False, "Out"), Audience.UNKNOWN: Reply(),
    }  # fmt: skip
    assert (stored(phone).state, stored(phone).starts_at) == (State.TIMED, before.starts_at)
    assert put(phone, message(INTERNAL, enabled=None, text="")) == 1
    assert stored(phone).replies[Audience.INTERNAL] == Reply(True, "")
    assert put(phone) == 1


@covers("MS-ASCMD_R3535", "MS-ASCMD_R7544")
@pytest.mark.parametrize("state", [0, 1])
def test_times_without_a_window_are_taken_and_forgotten(phone: Phone, state: int) -> None:
    assert put(phone, *window(state=state)) == 1
    assert [child.tag for child in get(phone)][:2] == [Settings.OofState, Settings.OofMessage]
    assert stored(phone).starts_at is None


WRONG: dict[str, tuple[int, Sequence[Element]]] = {
    "start without end": (2, window(end=None)),
    "end without start": (2, window(start=None)),
    "start without end and without a window": (2, window(end=None, state=1)),
    "a window without times": (2, window(None, None)),
    "an audience is missing": (2, [message()]),
    "an unknown state": (5, [Settings.OofState(3)]),
    "a state that is no number": (5, [Settings.OofState("on")]),
    "a time that is none": (5, window(start="tomorrow")),
    "an unknown form": (5, [message(INTERNAL, text="x", kind="RTF")]),
    "enabled is no boolean": (5, [message(INTERNAL, enabled="yes")]),
    "a text that is too long": (5, [message(INTERNAL, text="x" * (TEXT_BYTES_MAX + 1))]),
    "the end before the start": (6, window(END, START)),
    "the end at the start": (6, window(START, START)),
    "two audiences in one message": (6, [message(INTERNAL, KNOWN)]),
    "two messages for one audience": (6, [message(INTERNAL), message(INTERNAL, enabled=0)]),
}


@covers("MS-ASCMD_R2272", "MS-ASCMD_R3992", "MS-ASCMD_R5681", "MS-ASCMD_R5827", "MS-ASCMD_R484")
@covers("MS-ASCMD_R5702", "MS-ASCMD_R5385")
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_set_is_answered_with_its_status_and_changes_nothing(phone: Phone, name: str) -> None:
    put(phone, Settings.OofState(1), message(INTERNAL, text="Away"))
    before = stored(phone)
    status, content = WRONG[name]
    assert put(phone, *content) == status
    assert stored(phone) == before


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ([], 2),
        ([Settings.Get(Settings.BodyType("Text")), Settings.Set(Settings.OofState(1))], 2),
        ([Settings.Get(Settings.BodyType("RTF"))], 5),
        ([Settings.Get()], 1),
    ],
)
def test_neither_both_nor_an_unknown_form(phone: Phone, content: list[Element], status: int) -> None:
    assert ask(phone, *content).int_of(Settings.Status) == status


def test_a_set_is_in_force_for_the_next_message(phone: Phone) -> None:
    assert put(phone, *window("2026-03-02T12:00:00Z", "20260303T120000Z")) == 1
    assert stored(phone).is_active(phone.server.clock.now())
