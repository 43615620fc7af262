"""What holds for every tree and every byte string."""

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from appliance.wbxml.codec import Limits, WbxmlError, decode, encode, encode_fragment
from appliance.wbxml.codepages import PAGES, REMOVED_PAGES, TAGS
from appliance.wbxml.element import Element, Tag
from appliance.wbxml.tokens import HEADER
from tests.unit.wbxml import vectors

TAG = st.sampled_from([tag for tag in TAGS.values() if tag.page not in REMOVED_PAGES])
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=260)
VALUE = st.one_of(st.none(), st.integers(), st.booleans(), ANY_TEXT, st.binary(max_size=200))
LEAF = st.builds(lambda tag, value: tag(value), TAG, VALUE)
TREE = st.recursive(
    LEAF,
    lambda children: st.builds(lambda tag, content: tag(content), TAG, st.lists(children, max_size=5)),
    max_leaves=30,
)
PAGE = st.sampled_from(sorted(PAGES.keys() - REMOVED_PAGES))
DOCUMENTS = [vector.data for vector in vectors.trees(vectors.FOLDER / "canonical")]
PLAUSIBLE = [
    *(bytes.fromhex(switch) for switch in ("0000", "0002", "0015", "0003")),
    *(bytes.fromhex(tag) for tag in ("01", "01", "01", "05", "0e", "3f", "45", "50", "7f")),
    *(bytes.fromhex(value) for value in ("036100", "03c3a400", "0300", "03", "c30162", "c300", "c38100")),
    *(bytes.fromhex(refused) for refused in ("02", "83")),
]
"""Tags of several pages, switches, ends, strings and OPAQUE whole and cut, tokens that are refused."""
SMALL = Limits(steps=2_000)


def is_consistent(body: bytes) -> bool:
    """Return whether a byte string is refused properly or decodes to something that survives a round trip."""
    try:
        tree = decode(body, SMALL)
    except WbxmlError as error:
        return 0 <= error.offset <= len(body)
    sent = decode(encode(tree))
    return decode(encode(sent)) == sent


@given(TREE)
def test_decoding_what_was_encoded_gives_the_tree(tree: Element) -> None:
    document = encode(tree)
    assert decode(document) == tree
    assert encode(decode(document)) == document


@given(st.lists(TREE, max_size=6), PAGE, st.data())
def test_a_cut_into_fragments_changes_no_byte(items: list[Element], page: int, data: st.DataObject) -> None:
    whole = encode_fragment(items, page)
    cut = data.draw(st.integers(0, len(items)))
    first = encode_fragment(items[:cut], page)
    second = encode_fragment(items[cut:], first.exit_page)
    assert first.data + second.data == whole.data
    assert encode_fragment([first, second], page) == whole
    assert encode_fragment([first, *items[cut:]], page) == whole


@given(TAG, st.lists(TREE, min_size=1, max_size=5), PAGE)
def test_fragments_mean_the_same_wherever_they_are_put(tag: Tag, items: list[Element], page: int) -> None:
    pieces = [encode_fragment([item], page) for item in items]
    assert decode(encode(tag(pieces))) == tag(items)


@given(st.binary(max_size=2_000))
def test_garbage_is_an_error_not_a_crash(body: bytes) -> None:
    with suppress(WbxmlError):
        decode(body)


@given(st.lists(st.sampled_from(range(256)), max_size=200).map(bytes))
def test_garbage_behind_a_header_is_an_error_not_a_crash(body: bytes) -> None:
    assert is_consistent(HEADER + body)


@given(st.lists(st.sampled_from(PLAUSIBLE), max_size=60).map(b"".join))
def test_any_order_of_plausible_tokens_is_consistent(body: bytes) -> None:
    assert is_consistent(HEADER + body)


@given(st.sampled_from(DOCUMENTS), st.data())
def test_damaged_documents_are_consistent(document: bytes, data: st.DataObject) -> None:
    damaged = bytearray(document)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        kind = data.draw(st.sampled_from(["set", "cut", "insert", "repeat"]))
        if kind == "set":
            damaged[at] = data.draw(st.integers(0, 255))
        elif kind == "cut":
            del damaged[at : at + data.draw(st.integers(1, 9))]
        elif kind == "insert":
            damaged[at:at] = data.draw(st.binary(min_size=1, max_size=4))
        else:
            damaged[at:at] = damaged[at : at + 12]
        if not damaged:
            break
    assert is_consistent(bytes(damaged))


@given(TREE, st.data())
def test_no_proper_prefix_of_a_document_is_one(tree: Element, data: st.DataObject) -> None:
    document = encode(tree)
    cut = data.draw(st.integers(0, len(document) - 1))
    try:
        decode(document[:cut])
    except WbxmlError:
        return
    raise AssertionError(f"{cut} of {len(document)} bytes were accepted")
