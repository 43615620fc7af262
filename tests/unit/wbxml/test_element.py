"""Building elements by calling tags, and reading values out of them."""

from collections.abc import Iterator

import pytest

from appliance.wbxml.codec import encode_fragment
from appliance.wbxml.codepages import AirSync, AirSyncBase, Calendar, ComposeMail, Email
from appliance.wbxml.element import Content, Element, ElementError, Fragment

Sync, Add, Status, SyncKey = AirSync.Sync, AirSync.Add, AirSync.Status, AirSync.SyncKey


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ((), None),
        ((None,), None),
        (("",), None),
        ((b"",), None),
        (([],), None),
        (("text",), "text"),
        ((0,), "0"),
        ((-17,), "-17"),
        ((True,), "1"),
        ((False,), "0"),
        (("a", None, 1, "b"), "a1b"),
        ((b"\0\1",), b"\0\1"),
        ((b"a", b"b"), b"ab"),
        (("a\0b\x0bc",), "abc"),
        (("\0",), None),
    ],
)
def test_values_become_content(content: tuple[Content, ...], expected: str | bytes | None) -> None:
    assert Status(*content).content == expected


def test_children_are_flattened_and_absent_ones_skipped() -> None:
    def later() -> Iterator[Element | None]:
        yield Add("3")
        yield None
        yield Add("4")

    built = Sync(Add("1"), None, [Add("2"), None], later())
    assert built.content == [Add(str(number)) for number in (1, 2, 3, 4)]


def test_the_given_list_is_not_kept() -> None:
    adds = [Add("1")]
    built = Sync(adds)
    adds.append(Add("2"))
    assert built == Sync(Add("1"))


def test_empty_fragments_leave_the_tag_empty() -> None:
    assert Sync(encode_fragment([], 0)) == Sync()


@pytest.mark.parametrize("content", [("a", Add()), (b"a", Add()), ("a", b"a"), (["a", Add()],)])
def test_mixtures_are_a_bug_of_the_caller(content: tuple[Content, ...]) -> None:
    with pytest.raises(TypeError, match="AirSync:Sync holds"):
        Sync(*content)


def test_equality_is_tag_and_content() -> None:
    assert Sync(Add("1")) == Element(Sync, [Element(Add, "1")])
    assert Sync("1") != Add("1")
    assert Sync("1") != Sync(b"1")
    assert Sync() != "Sync"
    assert Fragment(0, 1, b"a") == Fragment(0, 1, b"a") != Fragment(0, 2, b"a")
    assert len({Fragment(0, 1, b"a"), Fragment(0, 1, b"a")}) == 1


def test_text_and_data_read_both_kinds() -> None:
    assert (Status("grün").text, Status("grün").data) == ("grün", "grün".encode())
    assert (ComposeMail.Mime(b"a\xffb").text, ComposeMail.Mime(b"a\xffb").data) == ("a\ufffdb", b"a\xffb")
    assert (Status().text, Status().data) == ("", b"")
    assert (Sync(Add()).text, Sync(Add()).data) == ("", b"")


def test_children_are_found_by_tag() -> None:
    first, second, other = Add("1"), Add("2"), SyncKey("k")
    root = Sync(other, first, encode_fragment([Add("9")], 0), second)
    assert root.find(Add) is first
    assert root.find(AirSyncBase.Add) is None
    assert root.find_all(Add) == [first, second]
    assert root.children == list(root) == [other, first, second]
    assert root.require(SyncKey) is other
    assert Status("1").find(Add) is None
    assert Status("1").children == []


def test_a_missing_child_names_both_tags() -> None:
    with pytest.raises(ElementError, match=r"^AirSync:SyncKey: required in AirSync:Sync$") as caught:
        Sync().require(SyncKey)
    assert caught.value.tag is SyncKey


def test_text_of() -> None:
    root = Sync(SyncKey("k"), Status())
    assert root.text_of(SyncKey) == "k"
    assert root.text_of(Status, "default") == ""
    assert root.text_of(Add) is None
    assert root.text_of(Add, "default") == "default"


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("0042", 42), ("-7", -7), ("+7", 7), (" 12\r\n", 12)])
def test_int_of(text: str, number: int) -> None:
    assert Sync(Status(text)).int_of(Status) == number


def test_int_of_takes_an_empty_tag_for_no_value() -> None:
    root = Sync(Calendar.Reminder())
    assert root.int_of(Calendar.Reminder) is None
    assert root.int_of(Calendar.Reminder, 15) == 15
    assert root.int_of(Status, 1) == 1
    assert Sync(Status(b"12")).int_of(Status) == 12


@pytest.mark.parametrize(
    "text", ["one", "1.5", "1_000", "--1", "-+1", "-", "٣", "²", "0x10", " ", "9" * 19, "9" * 5000, "1 2"]
)
def test_int_of_refuses_everything_else_without_repeating_it(text: str) -> None:
    with pytest.raises(ElementError, match=r"^AirSync:Status: not an integer$"):
        Sync(Status(text)).int_of(Status)


def test_int_of_refuses_a_container() -> None:
    with pytest.raises(ElementError):
        Sync(Status(Add())).int_of(Status)


@pytest.mark.parametrize(
    ("child", "flag"), [(Status(), True), (Status("1"), True), (Status("0"), False), (Status("false"), False)]
)
def test_flag_of(child: Element, flag: bool) -> None:
    assert Sync(child).flag_of(Status) is flag
    assert Sync(child).flag_of(Status, default=not flag) is flag


def test_flag_of_an_absent_child_is_the_default() -> None:
    assert Sync().flag_of(Status) is False
    assert Sync().flag_of(Status, default=True) is True


@pytest.mark.parametrize("child", [Status("2"), Status("yes"), Status(" "), Status(Add())], ids=str)
def test_flag_of_refuses_everything_else(child: Element) -> None:
    with pytest.raises(ElementError, match=r"^AirSync:Status: not a boolean$"):
        Sync(child).flag_of(Status)


def test_printing_for_logs_shows_no_values() -> None:
    root = Sync(
        Email.Subject("Secret plan"), ComposeMail.Mime(b"secret"), Add(), encode_fragment([Add("secret")], 0)
    )
    lines = ["<AirSync:Sync>", "  <Email:Subject> (11 characters)", "  <ComposeMail:Mime> (6 bytes)"]
    assert str(root).splitlines() == [*lines, "  <AirSync:Add/>", "  <Fragment 0->0 10 bytes>"]
    assert f"{root}" == root.to_text()


def test_repr_shows_values() -> None:
    assert repr(Sync(Status(1))) == "<AirSync:Sync>\n  <AirSync:Status> '1'"
