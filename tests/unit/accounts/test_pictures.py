"""Pictures: what is one, how large, and whose."""

import pytest

from appliance import db
from appliance.accounts import accounts, pictures
from appliance.accounts.pictures import Picture
from appliance.errors import InvalidInput, NotFound, TooLarge
from appliance.items.account import Account
from tests.unit.accounts.conftest import PASSWORD

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + b"x" * 40 + b"\xff\xd9"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR" + b"x" * 40 + b"\x00\x00\x00\x00IEND\xaeB`\x82"


def shown(account: Account) -> Picture | None:
    with db.connection():
        return pictures.get(account.id)


@pytest.mark.parametrize(("data", "content_type"), [(JPEG, "image/jpeg"), (PNG, "image/png")])
def test_a_picture_is_kept_as_it_is(anna: Account, data: bytes, content_type: str) -> None:
    assert shown(anna) is None
    assert pictures.put(anna.id, data) == Picture(content_type, data)
    assert shown(anna) == Picture(content_type, data)


def test_another_one_takes_its_place_and_it_can_be_removed(anna: Account) -> None:
    pictures.put(anna.id, JPEG)
    pictures.put(anna.id, PNG)
    assert shown(anna) == Picture("image/png", PNG)
    pictures.remove(anna.id)
    assert shown(anna) is None
    with pytest.raises(NotFound):
        pictures.remove(anna.id)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"GIF89a" + JPEG, b"<svg xmlns='http://www.w3.org/2000/svg'/>", JPEG[:-2], PNG[:-1], JPEG[1:],
        b"\xff\xd8\xff", PNG[:8], b"RIFF\0\0\0\0WEBP", JPEG[:-2] + b"\xff\xd9<script>",
    ],
)  # fmt: skip
def test_anything_else_is_refused(anna: Account, data: bytes) -> None:
    with pytest.raises(InvalidInput):
        pictures.put(anna.id, data)
    assert shown(anna) is None


def test_padding_behind_the_end_is_tolerated(anna: Account) -> None:
    assert pictures.put(anna.id, JPEG + b"\0\0\r\n").content_type == "image/jpeg"


def test_the_ceiling_is_exact(anna: Account) -> None:
    def of_size(size: int) -> bytes:
        return JPEG[:3] + b"x" * (size - 5) + JPEG[-2:]

    pictures.put(anna.id, of_size(pictures.SIZE_BYTES_MAX))
    with pytest.raises(TooLarge):
        pictures.put(anna.id, of_size(pictures.SIZE_BYTES_MAX + 1))


def test_sizes_are_told_for_many_and_only_of_those_that_have_one(anna: Account) -> None:
    bob = accounts.create("bob@example.com", PASSWORD)
    pictures.put(anna.id, JPEG)
    with db.connection():
        assert pictures.sizes([anna.id, bob.id, 999]) == {anna.id: len(JPEG)}
        assert pictures.sizes([]) == {}


def test_nobody_s_picture_cannot_be_set(anna: Account) -> None:
    with pytest.raises(NotFound):
        pictures.put(anna.id + 1, JPEG)
