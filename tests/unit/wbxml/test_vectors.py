"""Documents as data: what decodes to what, and what is refused where."""

import pytest

from appliance.wbxml.codec import Limits, WbxmlError, decode, encode
from tests.unit.wbxml import vectors, xmlform
from tests.unit.wbxml.vectors import Vector

CANONICAL = vectors.trees(vectors.FOLDER / "canonical")
ACCEPTED = vectors.trees(vectors.FOLDER / "accepted")
REFUSED = vectors.errors(vectors.FOLDER / "refused")
SHARED = vectors.trees(vectors.SHARED)


def test_vectors_are_there() -> None:
    assert (len(CANONICAL) >= 24, len(ACCEPTED) >= 14, len(REFUSED) >= 50) == (True, True, True)


@pytest.mark.parametrize("vector", CANONICAL, ids=str)
def test_canonical_documents_decode_and_encode_back(vector: Vector) -> None:
    assert decode(vector.data) == vector.tree
    assert vector.tree is not None
    assert encode(vector.tree) == vector.data


@pytest.mark.parametrize("vector", ACCEPTED, ids=str)
def test_unusual_documents_decode_but_are_not_what_we_send(vector: Vector) -> None:
    tree = decode(vector.data)
    assert tree == vector.tree
    assert encode(tree) != vector.data
    assert decode(encode(tree)) == tree


@pytest.mark.parametrize("vector", REFUSED, ids=str)
def test_refused_documents_give_the_offset(vector: Vector) -> None:
    with pytest.raises(WbxmlError) as caught:
        decode(vector.data)
    assert caught.value.offset == vector.offset
    assert str(caught.value) == f"{vector.message} at offset {vector.offset}"


@pytest.mark.parametrize("vector", CANONICAL, ids=str)
def test_every_prefix_is_refused(vector: Vector) -> None:
    for length in range(len(vector.data)):
        with pytest.raises(WbxmlError) as caught:
            decode(vector.data[:length])
        assert 0 <= caught.value.offset <= length


@pytest.mark.parametrize("vector", CANONICAL + ACCEPTED, ids=str)
def test_trailing_bytes_are_refused(vector: Vector) -> None:
    for extra in (b"\0", b"\1", b"\5", b"\0\0"):
        with pytest.raises(WbxmlError) as caught:
            decode(vector.data + extra)
        assert caught.value.offset == len(vector.data)


@pytest.mark.parametrize("vector", CANONICAL, ids=str)
def test_no_byte_string_near_a_document_escapes_the_error_type(vector: Vector) -> None:
    limits = Limits(steps=5_000)
    for position in range(len(vector.data)):
        for value in (0x00, 0x01, 0x03, 0x43, 0x80, 0xC3, 0xFF, vector.data[position] ^ 0x40):
            damaged = vector.data[:position] + bytes((value,)) + vector.data[position + 1 :]
            try:
                tree = decode(damaged, limits)
            except WbxmlError as error:
                assert 0 <= error.offset <= len(damaged)
            else:
                assert decode(encode(decode(encode(tree)))) == decode(encode(tree))


@pytest.mark.parametrize("vector", CANONICAL + ACCEPTED, ids=str)
def test_the_readable_form_is_lossless(vector: Vector) -> None:
    assert vector.tree is not None
    assert xmlform.parse(xmlform.render(vector.tree)) == vector.tree


@pytest.mark.skipif(not SHARED, reason="no shared vectors beside this checkout")
def test_shared_vectors_decode_and_encode_back() -> None:
    assert len(SHARED) >= 78
    for vector in SHARED:
        assert vector.tree is not None
        assert decode(vector.data) == vector.tree, vector.name
        assert encode(vector.tree) == vector.data, vector.name
