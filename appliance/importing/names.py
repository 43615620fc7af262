"""Folder names in the modified UTF-7 of IMAP and Maildir++. Pure. Source: RFC 3501 5.1.3."""

import base64
import binascii
import re
from typing import Final

_SHIFTED: Final = re.compile(r"&([A-Za-z0-9+,]*)-")


def from_modified_utf7(name: str) -> str:
    """Return a name as text; one that is not in modified UTF-7 stays as it is."""
    try:
        return _SHIFTED.sub(_decoded, name)
    except (binascii.Error, UnicodeDecodeError):
        return name


def _decoded(shifted: re.Match[str]) -> str:
    text = shifted[1].replace(",", "/")
    if not text:
        return "&"
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode("utf-16-be")
