"""Bytes to text whatever the label says, and the Windows code page number of a label.

Order: declared name through the alias table, then UTF-8, then a guess from at most 8 kB, then
windows-1252 with replacement. Only codecs of the allow list are ever looked up: a name from a
message must neither import a module nor reach codecs that are not character sets (`idna` and
`punycode` are quadratic, `unicode_escape` is no charset at all).
Source: WHATWG Encoding Standard 4.2 Names and labels (which label means which superset).
"""

import re
from encodings.aliases import aliases as _python_aliases

from charset_normalizer import from_bytes

GUESS_BYTES_MAX = 8_192
"""How much the statistical guess may look at; its cost grows with every byte."""
GUESS_HIGH_BYTES_MIN = 12
"""With fewer 8-bit bytes a guess is worse than windows-1252, which at least shows western text."""
_HIGH = bytes(range(128, 256))
_NEVER_GUESSED = ["utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_32_be", "utf_32_le", "utf_7"]

_NOT_CHARSETS = frozenset({
    "base64_codec", "bz2_codec", "hex_codec", "idna", "mbcs", "oem", "punycode", "quopri_codec",
    "raw_unicode_escape", "rot_13", "undefined", "unicode_escape", "uu_codec", "zlib_codec",
})  # fmt: skip
_CODECS = frozenset(_python_aliases.values()) - _NOT_CHARSETS | {"utf_8_sig", "koi8_u", "koi8_t", "cp874"}

# Labels that in practice mean a superset, and spellings the standard library does not know.
_ALIASES: dict[str, str] = {
    "ascii": "cp1252",
    "us_ascii": "cp1252",
    "ansi_x3_4_1968": "cp1252",
    "ansi": "cp1252",
    "default": "cp1252",
    "iso_8859_1": "cp1252",
    "iso8859_1": "cp1252",
    "iso_8859_1_1": "cp1252",
    "latin1": "cp1252",
    "latin_1": "cp1252",
    "l1": "cp1252",
    "8859_1": "cp1252",
    "x_cp1250": "cp1250",
    "x_cp1251": "cp1251",
    "x_cp1252": "cp1252",
    "iso_8859_9": "cp1254",
    "iso8859_9": "cp1254",
    "latin5": "cp1254",
    "iso_8859_8_i": "iso8859_8",
    "iso_8859_8_e": "iso8859_8",
    "iso_8859_6_i": "iso8859_6",
    "iso_8859_6_e": "iso8859_6",
    "iso_8859_11": "cp874",
    "tis_620": "cp874",
    "tis620": "cp874",
    "windows_874": "cp874",
    "gb2312": "gb18030",
    "gb_2312_80": "gb18030",
    "csgb2312": "gb18030",
    "gbk": "gb18030",
    "x_gbk": "gb18030",
    "cp936": "gb18030",
    "ms936": "gb18030",
    "windows_936": "gb18030",
    "chinese": "gb18030",
    "hz_gb_2312": "hz",
    "big5": "big5hkscs",
    "x_x_big5": "big5hkscs",
    "cn_big5": "big5hkscs",
    "ks_c_5601_1987": "cp949",
    "ks_c_5601": "cp949",
    "ksc5601": "cp949",
    "ksc_5601": "cp949",
    "korean": "cp949",
    "euc_kr": "cp949",
    "euckr": "cp949",
    "windows_949": "cp949",
    "x_windows_949": "cp949",
    "shift_jis": "cp932",
    "x_sjis": "cp932",
    "sjis": "cp932",
    "windows_31j": "cp932",
    "ms_kanji": "cp932",
    "x_euc_jp": "euc_jp",
    "iso_2022_jp": "iso2022_jp_ext",
    "csiso2022jp": "iso2022_jp_ext",
    "iso_2022_jp_ms": "iso2022_jp_ext",
    "cp50220": "iso2022_jp_ext",
    "cp50221": "iso2022_jp_ext",
    "x_mac_roman": "mac_roman",
    "macintosh": "mac_roman",
    "x_mac_cyrillic": "mac_cyrillic",
    "koi8": "koi8_r",
    "koi8_ru": "koi8_u",
    "utf8": "utf_8",
    "utf_8": "utf_8",
    "utf8mb4": "utf_8",
    "x_unicode_2_0_utf_8": "utf_8",
    "unicode_1_1_utf_8": "utf_8",
    "unicode_1_1_utf_7": "utf_7",
    "x_utf_7": "utf_7",
    "unicode": "utf_16",
    "ucs_2": "utf_16",
    "iso_10646_ucs_2": "utf_16",
}

# Codec to Windows code page. Source: Microsoft "Code Page Identifiers".
_CODE_PAGES: dict[str, int] = {
    "utf_8": 65001, "utf_7": 65000, "utf_16": 1200, "utf_16_le": 1200, "utf_16_be": 1201,
    "cp932": 932, "gb18030": 54936, "cp949": 949, "big5hkscs": 950, "cp874": 874,
    "cp1250": 1250, "cp1251": 1251, "cp1252": 1252, "cp1253": 1253, "cp1254": 1254,
    "cp1255": 1255, "cp1256": 1256, "cp1257": 1257, "cp1258": 1258,
    "iso8859_2": 28592, "iso8859_3": 28593, "iso8859_4": 28594, "iso8859_5": 28595,
    "iso8859_6": 28596, "iso8859_7": 28597, "iso8859_8": 28598, "iso8859_13": 28603,
    "iso8859_15": 28605, "koi8_r": 20866, "koi8_u": 21866, "mac_roman": 10000,
    "mac_cyrillic": 10007, "euc_jp": 51932, "iso2022_jp_ext": 50220, "iso2022_kr": 50225,
    "hz": 52936, "cp437": 437, "cp850": 850, "cp852": 852, "cp866": 866,
}  # fmt: skip
_LABEL_CODE_PAGES = {"us_ascii": 20127, "ascii": 20127, "iso_8859_1": 28591, "latin1": 28591,
                     "iso_8859_9": 28599, "gb2312": 936, "gbk": 936}  # fmt: skip
UTF_8_CODE_PAGE = 65001

_NAME = re.compile(r"[a-z0-9_]{1,40}\Z")
_NUMBERED = re.compile(r"(?:x_)?(?:cp|ms|ibm|windows)_?(\d{3,5})\Z")
_UNSPOKEN = frozenset({"ascii", "us_ascii", "ansi_x3_4_1968", "default"})
_MAY_BE_CUT = frozenset({
    "utf_8", "utf_16", "utf_16_le", "utf_16_be", "cp932", "gb18030", "cp949", "big5hkscs", "euc_jp",
})  # fmt: skip
REPLACED_SHARE_MAX = 0.02
"""With more replacement characters than this a declared charset is taken for a lie."""


def codec(label: str | None) -> str | None:
    """Return the Python codec for a charset label, or None when the label says nothing usable."""
    name = _normalise(label)
    if name in _ALIASES:
        return _ALIASES[name]
    numbered = _NUMBERED.match(name)
    if numbered is not None:
        name = f"cp{numbered[1]}"
    name = _python_aliases.get(name, name)
    name = _ALIASES.get(name, name)
    return name if name in _CODECS else None


def decode(data: bytes, label: str | None) -> str:
    """Return the text of `data`; never raises. A byte order mark wins over the label and is removed."""
    if data.startswith(b"\xef\xbb\xbf"):
        return data[3:].decode("utf-8", "replace")
    declared = None if _normalise(label) in _UNSPOKEN else codec(label)
    for candidate in (declared, "utf_8"):
        if candidate is not None:
            try:
                return data.decode(candidate)
            except (UnicodeError, ValueError):
                continue
    return _decode_damaged(data, declared)


def decode_header(data: bytes, label: str | None = None) -> str:
    """Return the text of raw header bytes: UTF-8, else `label`, else windows-1252. Never guesses."""
    for candidate in ("utf_8", codec(label)):
        if candidate is not None:
            try:
                return data.decode(candidate)
            except (UnicodeError, ValueError):
                continue
    return data.decode("cp1252", "replace")


def code_page(label: str | None) -> int:
    """Return the Windows code page number of a charset label; 65001 (UTF-8) for an unknown one."""
    name = _normalise(label)
    if name in _LABEL_CODE_PAGES:
        return _LABEL_CODE_PAGES[name]
    return _CODE_PAGES.get(codec(label) or "", UTF_8_CODE_PAGE)


def _normalise(label: str | None) -> str:
    if not label or len(label) > 80:
        return ""
    name = label.split("*", 1)[0].strip().strip("'\"").lower()  # RFC 2231 language suffix: utf-8*en
    name = name.replace("-", "_").replace(" ", "_").replace(".", "_").replace(":", "_")
    return name if _NAME.match(name) else ""


def _decode_damaged(data: bytes, declared: str | None) -> str:
    """Choose between a damaged text in the declared charset, a guess, and windows-1252."""
    if declared in _MAY_BE_CUT:
        text = data.decode(declared, "replace")
        if text.count("\ufffd") <= max(1, int(len(text) * REPLACED_SHARE_MAX)):
            return text
    guessed = _guess(data)
    if guessed is not None:
        return data.decode(guessed, "replace")
    return data.decode(declared or "cp1252", "replace")


def _guess(data: bytes) -> str | None:
    """Return a codec for unlabelled 8-bit text, from its first non-ASCII neighbourhood."""
    first = next(iter(re.finditer(rb"[\x80-\xff]", data)), None)
    start = 0 if first is None else max(0, first.start() - GUESS_BYTES_MAX // 4)
    sample = data[start : start + GUESS_BYTES_MAX]
    if len(sample) - len(sample.translate(None, _HIGH)) < GUESS_HIGH_BYTES_MIN:
        return None
    best = from_bytes(sample, cp_exclusion=_NEVER_GUESSED).best()
    return codec(best.encoding) if best is not None else None
