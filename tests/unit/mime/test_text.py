"""Charsets, transfer encodings, flowed text, HTML, previews, truncation, characters."""

import base64
import binascii
import codecs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.mime import charsets, transfer
from appliance.mime.body import leaf_text
from appliance.mime.characters import crlf, one_line, xml_safe
from appliance.mime.flowed import unflow
from appliance.mime.html import append_html, body_fragment, html_from_text, strip_tags, text_from_html
from appliance.mime.preview import PREVIEW_CHARS_MAX, preview
from appliance.mime.scan import scan
from appliance.mime.truncate import truncate_html, truncate_utf8


@pytest.mark.parametrize(
    ("label", "data", "text"),
    [
        ("us-ascii", "ü".encode(), "ü"),
        ("us-ascii", b"\xfcber", "über"),
        ("iso-8859-1", b"\x80 20", "€ 20"),
        ("ISO_8859-1:1987", b"\xe4", "ä"),
        ("gb2312", "镕€".encode("gb18030"), "镕€"),
        ("ks_c_5601-1987", "똠".encode("cp949"), "똠"),
        ("x-sjis", "①".encode("cp932"), "①"),
        ("windows-31j", "①".encode("cp932"), "①"),
        ("koi8-u", "ґ".encode("koi8_u"), "ґ"),
        ("UTF8", "ä".encode(), "ä"),
        ('"utf-8"', "ä".encode(), "ä"),
        ("cp-850", b"\x84", "ä"),
        ("utf-16", "ä".encode("utf-16"), "ä"),
        ("unicode-1-1-utf-7", b"+AOQ-", "ä"),
        ("tis-620", "ก".encode("cp874"), "ก"),
        ("windows-874", "ก".encode("cp874"), "ก"),
        ("x-unknown", "ä".encode(), "ä"),
        (None, "ä".encode(), "ä"),
        (None, b"\xef\xbb\xbfx", "x"),
        ("iso-8859-1", b"\xef\xbb\xbf\xc3\xa4", "ä"),
        ("utf-8", "schön ".encode() * 50 + b"\xc3", "schön " * 50 + "\ufffd"),
    ],
)
def test_charsets(label: str | None, data: bytes, text: str) -> None:
    assert charsets.decode(data, label) == text


@pytest.mark.parametrize(
    "label", ["idna", "punycode", "zlib", "base64", "rot13", "unicode_escape", "mbcs", "x" * 90]
)
def test_names_of_codecs_that_are_no_charsets_are_not_used(label: str) -> None:
    assert charsets.codec(label) is None
    assert charsets.decode(b"a\\x41", label) == "a\\x41"


def test_every_allowed_codec_decodes_bytes_to_text() -> None:
    names = {
        charsets.codec(label) for label in ("utf-8", "gb2312", "hz-gb-2312", "koi8-r", "macintosh", "big5")
    }
    assert None not in names
    for name in charsets._CODECS | set(charsets._ALIASES.values()):
        assert isinstance(codecs.lookup(name).decode(b"A", "replace")[0], str)


def test_unlabelled_cyrillic_is_guessed() -> None:
    text = "Привет, как дела? Сегодня хорошая погода, и мы идём гулять в парк. " * 3
    assert charsets.decode(text.encode("cp1251"), None) == text


@given(
    st.binary(max_size=200),
    st.one_of(st.none(), st.text(max_size=20), st.sampled_from(sorted(charsets._ALIASES))),
)
@settings(max_examples=200, deadline=None)
def test_decoding_never_raises(data: bytes, label: str | None) -> None:
    assert isinstance(charsets.decode(data, label), str)
    assert isinstance(charsets.decode_header(data, label), str)
    assert charsets.code_page(label) > 0


@pytest.mark.parametrize(
    ("label", "page"),
    [("utf-8", 65001), ("iso-8859-1", 28591), ("us-ascii", 20127), ("windows-1252", 1252),
     ("nonsense", 65001), (None, 65001), ("shift_jis", 932), ("koi8-r", 20866), ("iso-8859-15", 28605)],
)  # fmt: skip
def test_code_pages(label: str | None, page: int) -> None:
    assert charsets.code_page(label) == page


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"aGk=", b"hi"),
        (b"aGk", b"hi"),
        (b"aG\r\n k=", b"hi"),
        (b"a*G!k=\0", b"hi"),
        (b"aGk=trailing", b"hi"),
        (b"aGkx1", b"hi1"),
        (b"a", b""),
        (b"=", b""),
        (b"", b""),
        (b"\xff\xfe", b""),
    ],
)
def test_tolerant_base64(data: bytes, expected: bytes) -> None:
    assert transfer.decode(data, "base64") == expected


@given(st.binary(max_size=500), st.integers(1, 80))
def test_base64_in_lines_of_any_length(data: bytes, width: int) -> None:
    encoded = base64.b64encode(data)
    lines = b"\r\n".join(encoded[i : i + width] for i in range(0, len(encoded), width)) + b"\r\n"
    assert transfer.decode(lines, "base64") == data
    assert transfer.decoded_size(lines, 0, len(lines), "base64") == len(data)


@given(st.binary(max_size=500))
def test_size_of_quoted_printable(data: bytes) -> None:
    encoded = binascii.b2a_qp(data, istext=False)
    assert transfer.decode(encoded, "quoted-printable") == data
    assert transfer.decoded_size(encoded, 0, len(encoded), "quoted-printable") == len(data)


@given(st.binary(max_size=300))
def test_uuencode(data: bytes) -> None:
    lines = b"".join(binascii.b2a_uu(data[i : i + 45]) for i in range(0, len(data), 45))
    raw = b"begin 644 x.bin\n" + lines + b"`\nend\n"
    assert transfer.decode(raw, "uuencode") == data
    assert transfer.decode(raw.replace(b"\n", b"\r\n"), "uuencode") == data


@given(st.binary(max_size=300), st.sampled_from(sorted(set(transfer.ENCODINGS.values()))))
def test_transfer_decoding_never_raises(data: bytes, encoding: str) -> None:
    transfer.decode(data, encoding)
    assert transfer.decoded_size(data, 0, len(data), encoding) >= 0


@pytest.mark.parametrize(
    ("text", "delsp", "expected"),
    [
        ("a \r\nb\r\nc", False, "a b\nc"),
        ("a \nb", True, "ab"),
        ("> a \n> b\nc", False, "> a b\nc"),
        ("> a \n>> b", False, "> a\n>> b"),
        ("a \n-- \nsig", False, "a\n-- \nsig"),
        (" >x", False, ">x"),
        (" From me", False, "From me"),
        ("", False, ""),
    ],
)
def test_flowed_text(text: str, delsp: bool, expected: str) -> None:
    assert unflow(text, delsp=delsp) == expected


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a</p><p>b</p>", "a\n\nb"),
        ("a<br>b<br><br>c", "a\nb\n\nc"),
        ("<div>a</div><div>b</div>", "a\nb"),
        ("  a \n\t b <b> c</b>d", "a b cd"),
        ("<ul><li>x<li>y</ul>", "- x\n- y"),
        ("<table><tr><td>1</td><td>2</td></tr><tr><td>3</td></tr></table>", "1 2\n3"),
        ("a<blockquote>b<blockquote>c</blockquote></blockquote>d", "a\n\n> b\n>\n>> c\n\nd"),
        ("<pre>  x\n    y</pre>", "  x\n    y"),
        ("<style>p{}</style><script>x<y</script><title>t</title>v", "v"),
        ("a<!-- <p>hidden</p> -->b", "ab"),
        ("<a href='http://x.test'>link</a> <img alt='pic' src=x>", "link"),
        ("&lt;b&gt; &amp; &nbsp;&eacute; &#8364;", "<b> & é €"),
        ("plain", "plain"),
        ("", ""),
        ("   ", ""),
        ("<", "<"),
        ("<p", ""),
        ("x\0y", "xy"),
        ('<?xml version="1.0" encoding="utf-16"?><p>ä</p>', "ä"),
        ('<meta charset="iso-8859-1"><p>ä</p>', "ä"),
    ],
)
def test_text_of_html(html: str, text: str) -> None:
    assert text_from_html(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a</p><p>b</p>", "a\n\nb"),
        ("a<br>b", "a\nb"),
        ("<head><title>t</title></head><STYLE>p{}</STYLE><script>1<2</script>v", "v"),
        ("a<!-- x -->b &amp; c", "ab & c"),
        ("<script>never closed", "never closed"),
        ("a < b", "a < b"),
    ],
)
def test_stripping_tags(html: str, text: str) -> None:
    assert strip_tags(html) == text


@given(st.text(st.sampled_from(list("<>/!-ap\"' &;=")) | st.characters(), max_size=200))
@settings(deadline=None)
def test_html_conversion_never_raises(html: str) -> None:
    text_from_html(html)
    strip_tags(html)
    append_html(html, body_fragment(html))


@given(st.text(st.characters(exclude_categories=("C", "Z")) | st.just(" ") | st.just("\n"), max_size=200))
@settings(deadline=None)
def test_plain_text_survives_html_and_back(text: str) -> None:
    back = text_from_html(html_from_text(text))
    assert back.split() == text.split()


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<html><body><p>a</p></body></html><p>footer</p>", "a\n\nfooter"),
        ("<html><body>a</body></html>\r\nfooter", "a\nfooter"),
        ("<html><body>a</body></HTML ><html><head><title>t</title></head><body>b</body></html>", "a\nb"),
        ("a</html>b", "a b"),
    ],
)
def test_text_behind_the_end_of_the_document_is_read(html: str, text: str) -> None:
    assert text_from_html(html) == text


def test_html_pieces() -> None:
    document = "<html><head><style>a{}</style></head><BODY class=x>in</BODY></html>"
    assert body_fragment(document) == "<style>a{}</style>in"
    assert append_html(document, "<p>") == document.replace("</BODY>", "<p></BODY>")
    assert append_html("x", "y") == "xy"
    assert body_fragment("<body>in</body></html>\n<p>footer</p>").split() == ["in", "<p>footer</p>"]
    assert (
        html_from_text("a  b\r\n <c>")
        == "<html><body><div>a&nbsp; b<br>\r\n&nbsp;&lt;c&gt;</div></body></html>"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  hello \r\n\r\n world ", "hello world"),
        ("new\n> old\n>> older", "new"),
        ("On Sat, 14 Mar 2026, Al <a@b.test> wrote:\n> x", "On Sat, 14 Mar 2026, Al <a@b.test> wrote: x"),
        ("yes\nAm 14.03.2026 um 10:30 schrieb Al <a@b.test>:\n> x", "yes"),
        ("see https://example.com/x?y and <http://example.com>", "see and"),
        ("text\n-- \nsignature", "text"),
        ("=====\ntitle\n-----------\n* * *", "title * * *"),
        ("[image: logo.png] hi", "hi"),
        ("a\u200b\u00adb", "ab"),
        ("-----Original Message-----", "Original Message"),
        ("", ""),
    ],
)
def test_previews(text: str, expected: str) -> None:
    assert preview(text) == expected


@given(st.text(max_size=2_000))
def test_a_preview_is_short_and_one_line(text: str) -> None:
    shown = preview(text)
    assert len(shown) <= PREVIEW_CHARS_MAX
    assert shown == " ".join(shown.split())


def test_a_preview_ends_between_words() -> None:
    assert preview("word " * 100).endswith("word")
    assert len(preview("x" * 1_000)) == PREVIEW_CHARS_MAX


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=100), st.integers(0, 300))
def test_truncation_at_a_character(text: str, size: int) -> None:
    head, is_cut = truncate_utf8(text, size)
    assert text.startswith(head)
    assert len(head.encode()) <= size
    assert is_cut == (len(text.encode()) > size)
    if is_cut:
        assert size - len(head.encode()) < 4


HTML = (
    '<p title="a > b">text &amp; more</p><!-- note --><style>p > a {}</style>'
    "<script>if (a < b) c()</script><br/>ünd<b>x</b> 1 < 2 <!DOCTYPE x></p >"
)


@pytest.mark.parametrize("size", range(len(HTML.encode()) + 2))
def test_truncation_of_html_never_splits_markup(size: int) -> None:
    head, is_cut = truncate_html(HTML, size)
    assert HTML.startswith(head)
    assert len(head.encode()) <= size
    assert is_cut == (size < len(HTML.encode()))
    for opener, closer in (
        ("<!--", "-->"),
        ("<style", "</style>"),
        ("<script", "</script>"),
        ('title="', '">'),
    ):
        assert head.count(opener) == head.count(closer)
    assert not head.endswith(("&", "&a", "&am", "&amp", "<", "</", "<p", "<b", "<br/", "</p "))


@given(st.text(st.sampled_from(list("<>/!-ap\"'&;= ü")), max_size=80), st.integers(0, 100))
def test_truncated_html_is_a_beginning(html: str, size: int) -> None:
    head, is_cut = truncate_html(html, size)
    assert html.startswith(head)
    assert len(head.encode()) <= size
    assert is_cut or head == html


@given(st.text(max_size=100))
def test_what_leaves_is_legal_xml(text: str) -> None:
    safe = xml_safe(text)
    assert not set(safe) & {chr(n) for n in (*range(9), 0xB, 0xC, *range(0xE, 0x20), 0xFFFE, 0xFFFF)}
    safe.encode()
    line = one_line(text)
    assert line == line.strip()
    assert not any(character < " " for character in line)
    line.encode()


def test_line_ends() -> None:
    assert crlf("a\nb\r\nc\rd") == "a\r\nb\r\nc\r\nd"
    assert one_line("a\r\n\tb\u2028c\u202ed") == "a b cd"
    assert one_line("x" * 5_000, 10) == "x" * 10


def test_the_charset_of_an_html_leaf_may_come_from_its_meta_element() -> None:
    raw = (
        b'Content-Type: text/html\r\n\r\n<meta http-equiv=x content="text/html; charset=koi8-r">'
        + "да".encode("koi8-r")
    )
    assert leaf_text(raw, scan(raw).parts[0]).endswith("да")
