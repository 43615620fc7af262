"""A message as ActiveSync sees it: golden documents in both versions, bodies of every form, cuts, states.

`tests/vectors/eas/email/NNN-name.eml` is a message, `NNN-name.<version>.txt` beside it what a phone is
told. After a wanted change write the texts anew: `python -m tests.unit.eas.test_email_content`, and read
the difference.
"""

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from appliance.delivery import arrival
from appliance.eas.content import airsyncbase, email
from appliance.eas.content.airsyncbase import Source, parse_file_reference
from appliance.eas.status import ProtocolError
from appliance.eas.sync_delta import Part
from appliance.eas.sync_options import BodyPreference, Options
from appliance.items.message import Content, Flag, Message
from appliance.mime.scan import scan
from appliance.wbxml.codec import decode, encode
from appliance.wbxml.codepages import AirSync, AirSyncBase, Email, Email2, Tasks
from tests.covers import covers
from tests.unit.eas import schema

VECTORS = Path(__file__).parents[2] / "vectors" / "eas" / "email"
VERSIONS = ("14.1", "16.1")
NOON = datetime(2026, 3, 2, 12, 0, 0, 123_456, tzinfo=UTC)
FLAG = Flag(2, subject="call back", due_date=NOON, utc_due_date=NOON, reminder_set=True, reminder_time=NOON)

PLAIN, HTML, RTF, MIME = 1, 2, 3, 4


def stored(raw: bytes, **state) -> Source:
    """Return a message as the store would hand it out."""
    arrived = arrival.prepare(raw)
    values = {
        "id": 42,
        "account_id": 1,
        "folder_id": 5,
        "digest": arrived.blob.digest,
        "size": len(raw),
        "modseq": 1,
        "created_modseq": 1,
        "content_modseq": 1,
        "read_modseq": 1,
        "flag_modseq": 1,
        "categories_modseq": 1,
        "created_by": None,
        "changed_by": None,
        "changed_since": 1,
        "received_at": NOON,
        "is_read": False,
        "flag": None,
        "categories": (),
        "last_verb": 0,
        "last_verb_at": None,
        "is_draft": False,
    }
    message = Message(**asdict(arrived.columns), **(values | state))
    return Source(message, arrived.content, lambda: raw, scan)


def bodies(
    *preferences: BodyPreference, mime_support: int = 0, mime_truncation: int | None = None
) -> Options:
    return Options(bodies=preferences, mime_support=mime_support, mime_truncation=mime_truncation)


def told(source: Source, options: Options, version: str = "16.1"):
    """Return the ApplicationData as it arrives, its schema checked."""
    data = email.application_data(source, options, version)
    command = AirSync.Add(AirSync.ServerId("42"), data)
    key = AirSync.SyncKey("1"), AirSync.CollectionId("5"), AirSync.Status(1)
    document = AirSync.Sync(AirSync.Collections(AirSync.Collection(*key, AirSync.Commands(command))))
    schema.check(document)
    arrived = decode(encode(document)).require(AirSync.Collections).require(AirSync.Collection)
    return arrived.require(AirSync.Commands).require(AirSync.Add).require(AirSync.ApplicationData)


def body(raw: bytes, *preferences: BodyPreference, **rest):
    return told(stored(raw), bodies(*preferences, **rest)).require(AirSyncBase.Body)


def data(element) -> str:
    return element.text_of(AirSyncBase.Data, "")


# --- golden documents -----------------------------------------------------------------------------


def golden(path: Path, version: str) -> str:
    """Return what is told of a vector: read, flagged and answered, so that everything shows."""
    state = {"flag": FLAG, "categories": ("red", "größer"), "last_verb": 1, "last_verb_at": NOON}
    source = stored(path.read_bytes(), is_draft="draft" in path.name, **state)
    options = bodies(
        BodyPreference(PLAIN, 500, preview=40), BodyPreference(HTML, 2_000), BodyPreference(MIME)
    )
    return told(source, replace(options, mime_support=1), version).to_text(values=True) + "\n"


@covers("MS-ASEMAIL_R350", "MS-ASEMAIL_R318", "MS-ASAIRS_R10020", "MS-ASAIRS_R100299", "MS-ASCMD_R3409")
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", sorted(VECTORS.glob("*.eml")), ids=lambda path: path.stem)
def test_golden(path, version):
    expected = path.with_name(f"{path.stem}.{version}.txt").read_text("utf-8")
    assert golden(path, version) == expected


def test_rendering_is_deterministic():
    raw = (VECTORS / "002-html.eml").read_bytes()
    options = bodies(BodyPreference(HTML, 50))
    assert encode(email.application_data(stored(raw), options, "16.1")) == encode(
        email.application_data(stored(raw), options, "16.1")
    )


@covers("MS-ASEMAIL_R439")
def test_no_flag_and_no_categories_are_empty_elements():
    found = told(stored(b"Subject: x\r\n\r\n"), Options())
    assert found.require(Email.Flag).content is None
    assert found.require(Email.Categories).content is None


@pytest.mark.parametrize(("version", "present"), [("14.1", False), ("16.1", True)])
def test_drafts_are_known_to_16(version, present):
    found = told(stored(b"Bcc: x@example.net\r\nSubject: x\r\n\r\n", is_draft=True), Options(), version)
    assert (found.find(Email2.IsDraft) is not None) is present
    assert (found.find(Email2.Bcc) is not None) is present


def test_long_address_lists_keep_the_limit_of_the_schema():
    recipients = ", ".join(f"someone{n}@example.net" for n in range(3_000))
    source = stored(b"Subject: x\r\n\r\n")
    source.message = replace(source.message, to=recipients, cc=recipients, sender_from=recipients)
    assert len(told(source, Options()).text_of(Email.To)) == 32_768


# --- which body -----------------------------------------------------------------------------------

TEXT = b"Subject: t\r\n\r\nplain words\r\n"
PAGE = b"Subject: h\r\nContent-Type: text/html\r\n\r\n<p>rich <b>words</b></p>\r\n"
SIGNED = (VECTORS / "003-signed.eml").read_bytes() if (VECTORS / "003-signed.eml").exists() else b""


@covers("MS-ASAIRS_R304", "MS-ASAIRS_R305")
@covers("MS-ASAIRS_R2411", "MS-ASAIRS_R2412", "MS-ASAIRS_R237", "MS-ASAIRS_R238")
@pytest.mark.parametrize(
    ("raw", "types", "expected"),
    [
        (TEXT, (PLAIN, HTML), PLAIN),
        (TEXT, (HTML, PLAIN), PLAIN),
        (TEXT, (HTML,), HTML),
        (PAGE, (PLAIN, HTML), HTML),
        (PAGE, (PLAIN,), PLAIN),
        (PAGE, (PLAIN, HTML, MIME), HTML),
        (PAGE, (MIME,), MIME),
        (PAGE, (RTF,), PLAIN),
        (PAGE, (), PLAIN),
    ],
)
def test_the_own_form_or_the_nearest(raw, types, expected):
    source = stored(raw)
    found = told(source, bodies(*(BodyPreference(t) for t in types)))
    assert found.require(AirSyncBase.Body).int_of(AirSyncBase.Type) == expected
    assert found.int_of(AirSyncBase.NativeBodyType) == (HTML if raw is PAGE else PLAIN)


@covers("MS-ASAIRS_R307")
@covers("MS-ASCMD_R3408", "MS-ASCMD_R3410")
@pytest.mark.parametrize(
    ("raw", "mime_support", "types", "expected"),
    [
        (PAGE, 0, (HTML, MIME), HTML),
        (PAGE, 1, (HTML, MIME), HTML),
        (PAGE, 2, (HTML, MIME), MIME),
        (PAGE, 2, (HTML,), HTML),
        (SIGNED, 0, (PLAIN, MIME), PLAIN),
        (SIGNED, 1, (PLAIN, MIME), MIME),
        (SIGNED, 2, (PLAIN, MIME), MIME),
        (SIGNED, 1, (PLAIN,), MIME),
    ],
    ids=str,
)
def test_mime_support(raw, mime_support, types, expected):
    found = body(raw, *(BodyPreference(t) for t in types), mime_support=mime_support)
    assert found.int_of(AirSyncBase.Type) == expected


def test_the_preference_of_another_form_still_bounds_the_text():
    found = body(b"Subject: t\r\n\r\n" + b"x" * 100, BodyPreference(RTF, 10))
    assert (found.int_of(AirSyncBase.Type), len(data(found))) == (PLAIN, 10)


# --- cuts -----------------------------------------------------------------------------------------


@covers("MS-ASAIRS_R300", "MS-ASAIRS_R277")
def test_a_whole_body():
    found = body(TEXT, BodyPreference(PLAIN))
    assert data(found) == "plain words\r\n"
    assert found.find(AirSyncBase.Truncated) is None
    assert found.int_of(AirSyncBase.EstimatedDataSize) == 13
    exact = body(TEXT, BodyPreference(PLAIN, 13))
    assert exact.find(AirSyncBase.Truncated) is None


@covers("MS-ASAIRS_R276", "MS-ASAIRS_R180", "MS-ASAIRS_R402")
@pytest.mark.parametrize(("size", "kept"), [(12, "plain words\r"), (5, "plain"), (1, "p")])
def test_a_cut_body(size, kept):
    found = body(TEXT, BodyPreference(PLAIN, size))
    assert (data(found), found.int_of(AirSyncBase.Truncated)) == (kept, 1)
    assert found.int_of(AirSyncBase.EstimatedDataSize) == 13, "of the whole body, not of what is sent"


def test_size_0_describes_the_body_only():
    found = body(TEXT, BodyPreference(PLAIN, 0))
    assert [child.tag.name for child in found] == ["Type", "EstimatedDataSize", "Truncated"]


@given(st.text(alphabet="aé€🗓", max_size=30), st.integers(0, 60))
@settings(deadline=None)
def test_text_is_cut_between_characters(text, size):
    raw = b"Subject: t\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    found = body(raw + text.encode(), BodyPreference(PLAIN, size))
    assert text.startswith(data(found))
    assert len(data(found).encode()) <= size
    assert found.int_of(AirSyncBase.EstimatedDataSize) == len(text.encode())


@pytest.mark.parametrize("size", range(0, 140, 3))
def test_html_is_never_cut_inside_markup(size):
    raw = (
        b"Subject: h\r\nContent-Type: text/html\r\n\r\n"
        b'<p class="a>b">one &amp; two</p><!-- a comment --><img src="cid:x"><a href="http://example.net/">x</a>'
    )
    kept = data(body(raw, BodyPreference(HTML, size)))
    assert len(kept) <= size
    assert not kept.rstrip().endswith(("<", "<p", "&am", "&a", "&"))
    assert kept.count("<!--") == kept.count("-->")
    opened = kept.rfind("<")
    assert opened < 0 or ">" in kept[opened:]


@covers("MS-ASAIRS_R376", "MS-ASAIRS_R80", "MS-ASAIRS_R78")
def test_all_or_none_gives_way_to_the_next_form_that_fits():
    raw = (
        b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n"
        b"--a\r\nContent-Type: text/plain\r\n\r\nshort\r\n"
        b"--a\r\nContent-Type: text/html\r\n\r\n<p>" + b"long " * 100 + b"</p>\r\n--a--\r\n"
    )
    html, plain = BodyPreference(HTML, 50, all_or_none=True), BodyPreference(PLAIN, 50, all_or_none=True)
    found = body(raw, html, plain)
    assert (found.int_of(AirSyncBase.Type), data(found)) == (PLAIN, "short")
    found = body(raw, html, BodyPreference(PLAIN, 3))
    assert (found.int_of(AirSyncBase.Type), data(found)) == (PLAIN, "sho")
    found = body(raw, html, BodyPreference(PLAIN, 3, all_or_none=True))
    assert found.int_of(AirSyncBase.Type) == HTML
    assert (data(found), found.int_of(AirSyncBase.Truncated)) == ("", 1)
    assert found.int_of(AirSyncBase.EstimatedDataSize) > 500


@covers("MS-ASAIRS_R373")
def test_all_or_none_of_what_fits():
    assert data(body(TEXT, BodyPreference(PLAIN, 13, all_or_none=True))) == "plain words\r\n"


# --- previews -------------------------------------------------------------------------------------


@covers("MS-ASAIRS_R250", "MS-ASAIRS_R248", "MS-ASAIRS_R2644")
@pytest.mark.parametrize("length", [1, 5, 255])
def test_a_preview_is_as_long_as_asked(length):
    raw = b"Subject: h\r\nContent-Type: text/html\r\n\r\n<p>" + b"rich words " * 50 + b"</p>"
    preview = body(raw, BodyPreference(HTML, 10, preview=length)).text_of(AirSyncBase.Preview)
    assert 0 < len(preview) <= length
    assert "<" not in preview


@covers("MS-ASAIRS_R1001036")
def test_no_preview_beside_plain_text():
    assert body(TEXT, BodyPreference(PLAIN, 5, preview=50)).find(AirSyncBase.Preview) is None
    assert body(TEXT, BodyPreference(PLAIN, 0, preview=50)).text_of(AirSyncBase.Preview) == "plain words"


# --- MIME -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "is_string"),
    [
        (TEXT, True),
        ("Subject: Grüße\r\n\r\nin UTF-8 🗓\r\n".encode(), True),
        (b"Subject: x\r\n\r\nbare\nline\rends\r\n", True),
        (b"Subject: x\r\n\r\nlatin caf\xe9\r\n", False),
        (b"Subject: x\r\n\r\n\x00 nul \x07 bell\r\n", False),
        (b"Subject: x\r\n\r\n" + bytes(range(256)) * 4, False),
        ("Subject: x\r\n\r\n\ufffe\r\n".encode(), False),
    ],
    ids=["ascii", "utf-8", "line ends", "latin", "controls", "every byte", "no character"],
)
def test_the_message_itself_byte_for_byte(raw, is_string):
    found = body(raw, BodyPreference(MIME))
    element = found.require(AirSyncBase.Data)
    assert element.data == raw
    assert isinstance(element.content, str) is is_string
    assert found.int_of(AirSyncBase.EstimatedDataSize) == len(raw)
    assert found.text_of(AirSyncBase.Truncated) == "0"


@given(st.binary(max_size=200), st.integers(0, 250))
@settings(deadline=None)
def test_a_cut_message_is_a_beginning_of_it(junk, size):
    raw = b"Subject: x\r\n\r\n" + junk
    found = body(raw, BodyPreference(MIME, size))
    element = found.find(AirSyncBase.Data)
    kept = element.data if element is not None else b""
    assert raw.startswith(kept)
    assert size - 3 <= len(kept) <= size or kept == raw
    assert found.text_of(AirSyncBase.Truncated) == ("0" if kept == raw else "1")


def test_a_cut_inside_a_character_keeps_it_a_string():
    raw = "Subject: x\r\n\r\nü".encode()
    element = body(raw, BodyPreference(MIME, len(raw) - 1)).require(AirSyncBase.Data)
    assert element.content == "Subject: x\r\n\r\n"


@pytest.mark.parametrize(
    ("own", "shared", "kept"), [(None, 20, 20), (10, 20, 10), (None, None, 27), (None, 0, 0)]
)
def test_mime_truncation_where_the_preference_says_nothing(own, shared, kept):
    found = body(TEXT, BodyPreference(MIME, own), mime_truncation=shared)
    assert len(data(found)) == kept


def test_all_or_none_of_a_message():
    found = body(TEXT, BodyPreference(MIME, 5, all_or_none=True))
    assert (data(found), found.int_of(AirSyncBase.Truncated)) == ("", 1)


# --- content that is read only when needed --------------------------------------------------------


def test_a_plain_body_costs_no_look_at_the_message():
    source = stored(TEXT)
    reads = []
    lazy = Source(source.message, source._content, lambda: reads.append(1) or TEXT, scan)
    told(lazy, bodies(BodyPreference(PLAIN, 5)))
    assert reads == []
    assert airsyncbase.body_bytes(lazy, bodies(BodyPreference(PLAIN))) == 0
    assert airsyncbase.body_bytes(lazy, bodies(BodyPreference(MIME), mime_support=2)) == 0
    assert airsyncbase.body_bytes(lazy, bodies(BodyPreference(HTML))) == len("plain words\r\n")


def test_a_structure_of_another_version_is_made_anew():
    source = stored((VECTORS / "002-html.eml").read_bytes())
    old = Source(source.message, Content('{"v": 0}', "", False), lambda: source.raw, scan)
    assert told(old, bodies(BodyPreference(HTML))) == told(source, bodies(BodyPreference(HTML)))


@pytest.mark.parametrize("reference", ["", "5", ":1", "x:1", "-5:1", "٣:1", "9" * 19 + ":1"])
def test_what_is_no_file_reference(reference):
    assert parse_file_reference(reference) is None


def test_a_file_reference():
    assert parse_file_reference(airsyncbase.file_reference(5, "1.2")) == (5, "1.2")


# --- parts that change on their own ---------------------------------------------------------------


@covers("MS-ASEMAIL_R75", "MS-ASEMAIL_R76", "MS-ASEMAIL_R96", "MS-ASEMAIL_R104", "MS-ASEMAIL_R10604")
@pytest.mark.parametrize(
    ("parts", "names"),
    [
        (Part.READ, ["Read"]),
        (Part.FLAG, ["Flag"]),
        (Part.CATEGORIES, ["Categories"]),
        (Part.READ | Part.FLAG | Part.CATEGORIES, ["Read", "Flag", "Categories"]),
    ],
    ids=str,
)
def test_a_change_carries_what_changed(parts, names):
    source = stored(TEXT, flag=FLAG, categories=("red",))
    assert [child.tag.name for child in email.changed_parts(source.message, parts)] == names


def test_a_flag_comes_back_as_it_was_set():
    told_at = NOON - timedelta(microseconds=456)  # the protocol has milliseconds
    dates = ("start_date", "due_date", "utc_start_date", "utc_due_date", "reminder_time")
    whole = replace(FLAG, **dict.fromkeys(dates, NOON))
    element = decode(encode(email.flag_element(whole)))
    assert email.parse_flag(element, None) == replace(whole, **dict.fromkeys(dates, told_at))


@covers("MS-ASEMAIL_R86")
def test_a_completed_flag():
    element = Email.Flag(
        Email.Status(1),
        Email.CompleteTime("2026-03-02T12:00:00.000Z"),
        Tasks.DateCompleted("2026-03-02T12:00:00.000Z"),
    )
    flag = email.parse_flag(element, Flag(2, "Follow up"))
    assert (flag.status, flag.flag_type, flag.complete_time) == (
        1,
        "Follow up",
        datetime(2026, 3, 2, 12, tzinfo=UTC),
    )


def test_categories_are_cut_and_each_there_once():
    element = Email.Categories(
        [Email.Category(f"c{n}") for n in range(400)],
        Email.Category("c0"),
        Email.Category("x" * 900),
        Email.Category(),
    )
    names = email.parse_categories(element)
    assert len(names) == len(set(names)) == 300


# --- moments --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (NOON, "2026-03-02T12:00:00.123Z"),
        (NOON.astimezone(timezone(timedelta(hours=5))), "2026-03-02T12:00:00.123Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000Z"),
    ],
)
def test_moments_are_written(moment, text):
    assert email.date_time(moment) == text


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-02T12:00:00.000Z",
        "2026-03-02T12:00:00Z",
        "20260302T120000Z",
        "2026-03-02T13:00:00+01:00",
        "2026-03-02T12:00:00",
    ],
)
def test_moments_are_read_in_every_form(text):
    assert email.parse_date_time(text) == datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize("text", [None, ""])
def test_no_moment(text):
    assert email.parse_date_time(text) is None


@pytest.mark.parametrize(
    "text",
    ["soon", "2026-13-01", "2026-03-02T25:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"],
)
def test_what_is_no_moment(text):
    with pytest.raises(ProtocolError) as raised:
        email.parse_date_time(text)
    assert raised.value.status == 6


def main() -> None:
    """Write the golden texts anew."""
    for path in sorted(VECTORS.glob("*.eml")):
        for version in VERSIONS:
            path.with_name(f"{path.stem}.{version}.txt").write_text(golden(path, version), "utf-8")


if __name__ == "__main__":
    main()
