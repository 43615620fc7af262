"""libwbxml, an independent WBXML implementation in C, as a second opinion and as a yardstick.

`Document` drives the shared library, `wbxml2xml` and `xml2wbxml` run the command line tools. Both come with
the Debian package libwbxml2-utils; `MISSING` says why they cannot be used here, or is "".
"""

import ctypes
import ctypes.util
import functools
import shutil
import subprocess
from collections.abc import Callable
from types import TracebackType
from typing import Self

TOOLS = {name: shutil.which(name) for name in ("wbxml2xml", "xml2wbxml")}
LIBRARY = ctypes.util.find_library("wbxml2")
MISSING = "" if LIBRARY and all(TOOLS.values()) else "libwbxml2-utils is not installed"

LANGUAGE_ACTIVESYNC = 2402
"""WBXML_LANG_ACTIVESYNC in libwbxml 0.11."""
CHARSET_UTF_8 = 106
XML_CANONICAL = 2
"""WBXML_GEN_XML_CANONICAL."""
VERSION_1_3 = 3


@functools.cache
def _functions() -> tuple[ctypes.CDLL, Callable[[ctypes.c_void_p], None]]:
    """Return the library and the C library's free."""
    free = ctypes.CDLL(None).free
    free.argtypes = (ctypes.c_void_p,)
    return ctypes.CDLL(LIBRARY), free


class _Parameters(ctypes.Structure):
    """WBXMLGenWBXMLParams."""

    _fields_ = (
        ("wbxml_version", ctypes.c_int),
        ("keep_ignorable_ws", ctypes.c_ubyte),
        ("use_strtbl", ctypes.c_ubyte),
        ("produce_anonymous", ctypes.c_ubyte),
    )


class Document:
    """A parsed document held by libwbxml; a context manager that frees it."""

    def __init__(self, document: bytes, *, xml: bool = False) -> None:
        """Parse WBXML, or libwbxml's XML; raises ValueError with libwbxml's error number."""
        self._library, self._free = _functions()
        self._tree = ctypes.c_void_p()
        self._parameters = _Parameters(VERSION_1_3, 1, 0, 1)
        tree = ctypes.byref(self._tree)
        if xml:
            status = self._library.wbxml_tree_from_xml(document, len(document), tree)
        else:
            status = self._library.wbxml_tree_from_wbxml(
                document, len(document), LANGUAGE_ACTIVESYNC, CHARSET_UTF_8, tree
            )
        if status:
            raise ValueError(f"libwbxml error {status}")

    def encode(self) -> bytes:
        """Return the document encoded by libwbxml: WBXML 1.3, no string table, no public id."""
        data, size = ctypes.c_void_p(), ctypes.c_uint()
        status = self._library.wbxml_tree_to_wbxml(
            self._tree, ctypes.byref(data), ctypes.byref(size), ctypes.byref(self._parameters)
        )
        if status:
            raise ValueError(f"libwbxml error {status}")
        encoded = ctypes.string_at(data, size.value)
        self._free(data)
        return encoded

    def close(self) -> None:
        """Free libwbxml's tree."""
        self._library.wbxml_tree_destroy(self._tree)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def encode_xml(xml: bytes) -> bytes:
    """Return the WBXML that the library makes of its own XML."""
    with Document(xml, xml=True) as document:
        return document.encode()


class Reader:
    """libwbxml's way from WBXML to XML text, set up once; a context manager that frees it."""

    def __init__(self) -> None:
        self._library, self._free = _functions()
        self._converter = ctypes.c_void_p()
        if self._library.wbxml_conv_wbxml2xml_create(ctypes.byref(self._converter)):
            raise ValueError("libwbxml has no converter")
        self._library.wbxml_conv_wbxml2xml_set_gen_type(self._converter, XML_CANONICAL)
        self._library.wbxml_conv_wbxml2xml_set_language(self._converter, LANGUAGE_ACTIVESYNC)
        self._library.wbxml_conv_wbxml2xml_enable_preserve_whitespaces(self._converter)

    def xml(self, wbxml: bytes) -> bytes:
        """Return a document as `wbxml2xml` prints it; raises ValueError with libwbxml's error number."""
        data, size = ctypes.c_void_p(), ctypes.c_uint()
        status = self._library.wbxml_conv_wbxml2xml_run(
            self._converter, wbxml, len(wbxml), ctypes.byref(data), ctypes.byref(size)
        )
        if status:
            raise ValueError(f"libwbxml error {status}")
        xml = ctypes.string_at(data, size.value)
        self._free(data)
        return xml

    def close(self) -> None:
        """Free the converter."""
        self._library.wbxml_conv_wbxml2xml_destroy(self._converter)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def wbxml2xml(wbxml: bytes) -> bytes:
    """Return the document as libwbxml's canonical XML; raises CalledProcessError."""
    return _run(("wbxml2xml", "-l", "ACTIVESYNC", "-k", "-m", "2", "-o", "-", "-"), wbxml)


def xml2wbxml(xml: bytes) -> bytes:
    """Return the WBXML that libwbxml makes of its own XML; raises CalledProcessError."""
    return _run(("xml2wbxml", "-k", "-n", "-a", "-v", "1.3", "-o", "-", "-"), xml)


def _run(command: tuple[str, ...], document: bytes) -> bytes:
    return subprocess.run(command, input=document, capture_output=True, check=True, timeout=30).stdout
