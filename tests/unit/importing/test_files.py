"""Messages out of files and trees of files: each once, in its folder, with its date and its marks."""

import mailbox
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.importing import files, mbox
from appliance.importing.names import from_modified_utf7
from appliance.items.imported import Imported, Marks, Unread
from tests.unit.cli.test_mail import eml

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LINE = b"From bob@example.net Mon Jan  5 10:00:00 2026\n"


def subject(found: Imported | Unread) -> str:
    assert isinstance(found, Imported), found
    return found.raw.partition(b"Subject: ")[2].partition(b"\r\n")[0].decode()


def placed(path: Path) -> dict[str, tuple[str, ...]]:
    """Return the folder of every message in a tree, by subject."""
    return {subject(each): each.folder for each in files.messages(path, NOW) if isinstance(each, Imported)}


def test_an_mbox_as_the_standard_library_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "old.mbox"
    box = mailbox.mbox(path)
    for number in range(3):
        message = mailbox.mboxMessage(eml(f"m{number}", body="text\r\nFrom a line\r\n>quoted\r\n"))
        message.set_flags("R" if number else "")
        box.add(message)
    box.close()
    found = list(files.messages(path, NOW))
    assert [type(each) for each in found] == [Imported] * 3
    for number, each in enumerate(found):
        assert isinstance(each, Imported)
        assert f"Subject: m{number}\r\n".encode() in each.raw
        assert b"\r\nFrom a line\r\n" in each.raw and b"\n>quoted\r\n" in each.raw
        assert each.received_at == datetime(2026, 1, 5, 9, tzinfo=UTC)
        assert bool(each.marks.is_read) == bool(number)


def test_an_mbox_separates_only_at_real_separators(tmp_path: Path) -> None:
    path = tmp_path / "mail"
    path.write_bytes(
        b"From bob@example.net Mon Jan  5 10:00:00 2026\nSubject: a\n\none\n\n"
        b"From here on it is text\nFrom x Mon Jan  5 10:00:00 2026\n>From quoted\n>>From twice\n\n"
        b"From MAILER-DAEMON Tue Jan  6 11:00:00 2026\nSubject: b\n\ntwo\n"
    )
    found = [each for each in files.messages(path, NOW) if isinstance(each, Imported)]
    assert [each.raw for each in found] == [
        b"Subject: a\r\n\r\none\r\n\r\nFrom here on it is text\r\nFrom x Mon Jan  5 10:00:00 2026\r\n"
        b"From quoted\r\n>From twice\r\n",
        b"Subject: b\r\n\r\ntwo\r\n",
    ]
    assert found[1].received_at == datetime(2026, 1, 6, 11, tzinfo=UTC)


def test_a_maildir_says_what_was_read(tmp_path: Path) -> None:
    for part in ("cur", "new", "tmp"):
        (tmp_path / part).mkdir()
    (tmp_path / "cur" / "1:2,S").write_bytes(eml("read"))
    (tmp_path / "cur" / "2:2,F").write_bytes(eml("unread"))
    (tmp_path / "new" / "3").write_bytes(eml("new"))
    (tmp_path / "tmp" / "4").write_bytes(eml("half written"))
    found = [each for each in files.messages(tmp_path, NOW) if isinstance(each, Imported)]
    assert [(b"read\r\n" in each.raw.partition(b"Date")[0], each.marks.is_read) for each in found] == [
        (True, True), (True, False), (False, False),
    ]  # fmt: skip


@pytest.mark.parametrize("date", ["Mon, 05 Jan 2099 10:00:00 +0000", "no date at all", ""])
def test_a_date_in_the_future_is_passed_over(date: str) -> None:
    otherwise = datetime(2020, 1, 1, tzinfo=UTC)
    assert mbox.received_at(eml("x", date=date), otherwise, NOW) == otherwise
    assert mbox.received_at(eml("x", date=date), datetime(2030, 1, 1, tzinfo=UTC), NOW) == NOW


def test_too_large_a_message_in_an_mbox_does_not_stop_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mbox, "MESSAGE_BYTES_MAX", 1000)
    path = tmp_path / "mail"
    line = b"From bob@example.net Mon Jan  5 10:00:00 2026\n"
    path.write_bytes(line + b"Subject: a\n\n" + b"x" * 2000 + b"\n\n" + line + b"Subject: b\n\nsmall\n")
    first, second = files.messages(path, NOW)
    assert isinstance(first, Unread) and "larger than" in first.error
    assert isinstance(second, Imported) and second.raw == b"Subject: b\r\n\r\nsmall\r\n"


def maildir(path: Path, **letters: str) -> None:
    """Make a Maildir with letters, each by its subject and flags."""
    for part in ("cur", "new", "tmp"):
        (path / part).mkdir(parents=True)
    for name, flags in letters.items():
        (path / "cur" / f"{name}:2,{flags}").write_bytes(eml(name))


def test_a_maildir_tree_keeps_its_folders(tmp_path: Path) -> None:
    maildir(tmp_path, top="S")
    maildir(tmp_path / ".Sent", sent="S")
    maildir(tmp_path / ".Projects.Z&APw-rich", deep="")
    maildir(tmp_path / "Real" / "sub", never="")
    maildir(tmp_path / "Real", real="")
    assert placed(tmp_path) == {
        "top": (),
        "sent": ("Sent",),
        "deep": ("Projects", "Zürich"),
        "real": ("Real",),
        "never": ("Real", "sub"),
    }


def test_a_maildir_says_what_was_done(tmp_path: Path) -> None:
    maildir(tmp_path, a="", b="S", c="FS", d="RS", e="PS", f="T")
    marks = {subject(each): each.marks for each in files.messages(tmp_path, NOW)}
    assert marks == {
        "a": Marks(is_read=False),
        "b": Marks(is_read=True),
        "c": Marks(is_read=True, is_flagged=True),
        "d": Marks(is_read=True, is_answered=True),
        "e": Marks(is_read=True, is_forwarded=True),
        "f": Marks(is_read=False, is_deleted=True),
    }


def test_a_mail_program_s_tree_of_mboxes(tmp_path: Path) -> None:
    def write(name: str, title: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(LINE + eml(title).replace(b"\r\n", b"\n"))

    write("Inbox", "one")
    write("Projects.sbd/2024", "two")
    write("Projects", "three")
    write("Old.mbox", "four")
    write("Apple.mbox/mbox", "five")
    (tmp_path / "Inbox.msf").write_bytes(b"an index")
    (tmp_path / "Empty.mbox").write_bytes(b"")
    (tmp_path / "notes").write_bytes(b"From here on: no mail\n")
    (tmp_path / "plain" / "below").mkdir(parents=True)
    (tmp_path / "plain" / "below" / "six.eml").write_bytes(eml("six"))
    assert placed(tmp_path) == {
        "one": ("Inbox",),
        "two": ("Projects", "2024"),
        "three": ("Projects",),
        "four": ("Old",),
        "five": ("Apple",),
        "six": ("plain", "below"),
    }


@pytest.mark.parametrize(
    ("fields", "marks"),
    [
        (b"", Marks()),
        (b"Status: RO\n", Marks(is_read=True)),
        (b"Status: O\nX-Status: AF\n", Marks(is_read=False, is_answered=True, is_flagged=True)),
        (b"X-Status: D\n", Marks(is_deleted=True)),
        (b"X-Mozilla-Status: 0007\n", Marks(is_read=True, is_answered=True, is_flagged=True)),
        (b"X-Mozilla-Status: 1000\n", Marks(is_read=False, is_forwarded=True)),
        (b"X-Mozilla-Status: 0009\n", Marks(is_read=True, is_deleted=True)),
        (b"X-Mozilla-Status: what\n", Marks()),
        (b"X-Gmail-Labels: Inbox,Unread,Starred\n", Marks(is_read=False, is_flagged=True)),
    ],
)
def test_what_an_mbox_says_was_done(tmp_path: Path, fields: bytes, marks: Marks) -> None:
    (tmp_path / "mail").write_bytes(LINE + fields + b"Subject: x\n\nx\n")
    (found,) = files.messages(tmp_path / "mail", NOW)
    assert isinstance(found, Imported)
    assert found.marks == marks


@pytest.mark.parametrize(
    ("labels", "folder"),
    [
        ("Inbox,Important,Opened", ("Inbox",)),
        ("Sent,Inbox", ("Sent",)),
        ("Archived,Unread", ("Archive",)),
        ("Opened,Category Promotions,Projects/2024", ("Projects", "2024")),
        ("=?UTF-8?Q?Caf=C3=A9?=", ("Café",)),
    ],
)
def test_labels_become_folders(tmp_path: Path, labels: str, folder: tuple[str, ...]) -> None:
    (tmp_path / "all.mbox").write_bytes(LINE + f"X-Gmail-Labels: {labels}\nSubject: x\n\nx\n".encode())
    (found,) = files.messages(tmp_path / "all.mbox", NOW)
    assert isinstance(found, Imported)
    assert found.folder == folder


def test_a_tree_without_end_ends(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(files.DEPTH_MAX + 5):
        deep = deep / "d"
    deep.mkdir(parents=True)
    (deep / "x.eml").write_bytes(eml("x"))
    (found,) = files.messages(tmp_path, NOW)
    assert isinstance(found, Unread)
    assert "inside each other" in found.error


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("plain", "plain"),
        ("A&-B", "A&B"),
        ("Entw&APw-rfe", "Entwürfe"),
        ("&U,BTFw-", "台北"),
        ("broken &AP", "broken &AP"),
        ("&A-", "&A-"),
        ("&2D0-", "&2D0-"),
    ],
)
def test_names_in_modified_utf7(name: str, text: str) -> None:
    assert from_modified_utf7(name) == text
