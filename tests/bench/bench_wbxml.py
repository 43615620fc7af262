"""How fast the WBXML codec is, beside libwbxml on the same documents.

Rows are CPU milliseconds of one operation (best of several rounds), megabytes of WBXML per second, and the
ratio to libwbxml: 2.0 means half its time. What is compared:

encode          a finished tree to bytes, on both sides. Our text was turned into UTF-8 when the tree was
                built, as libwbxml's was when it parsed.
encode cached   the same document from items that were rendered and kept as fragments earlier.
build + encode  values to bytes; libwbxml goes from XML text to bytes, its usual way in. The XML is ready.
decode          bytes to a tree, and the tree freed. Not the same work: libwbxml's tree stays in C, its text
                is bytes nobody has looked at (it takes what is no UTF-8); ours is checked text in Python.
decode, to use  bytes to a tree that a Python program can read. With libwbxml that is its XML, parsed by
                lxml; what was OPAQUE is still base64 then.

Everything runs in this process: libwbxml is called by ctypes, its tools are not started. The two sides take
turns, so that both meet the same machine. Run it with `python -m tests.bench.bench_wbxml`.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from lxml import etree

from appliance.wbxml.codec import decode, encode, encode_fragment
from appliance.wbxml.codepages import AirSync, AirSyncBase, Email, Email2
from appliance.wbxml.element import Element, Fragment
from tests.unit.wbxml import libwbxml

ROUNDS = 7
ROUND_S = 0.06
MAILS = 100
BODY_BYTES = (500, 4_000, 32_000)

COMPARED = """\
x libwbxml: its CPU time over ours, in one process, on the same document. decode: its tree stays in C, with
text nobody has checked; ours is checked text in Python. decode, to use: its XML as well, parsed by lxml."""

type Work = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """One measurement; `ratio` is libwbxml's time divided by ours, None without libwbxml."""

    what: str
    document_bytes: int
    ms: float
    ratio: float | None = None

    @property
    def mb_per_s(self) -> float:
        """Megabytes of WBXML per CPU second."""
        return self.document_bytes / self.ms / 1000


def run() -> list[Row]:
    """Measure every document size and return the rows."""
    return [row for body_bytes in BODY_BYTES for row in _rows(body_bytes)]


def mail(number: int, body_bytes: int) -> Element:
    """Return the Add of one mail with the fields a 16.1 phone gets; every second body is not plain ASCII."""
    fox = "häufig gelesen – selten gesehen" if number % 2 else "read often, seen seldom"
    line = f"Line {number}: the quick brown fox, {fox}.\r\n"
    body = (line * (body_bytes // len(line) + 1))[:body_bytes]
    return AirSync.Add(
        AirSync.ServerId(f"5:{number}"),
        AirSync.ApplicationData(
            Email.To('"Office" <office@example.com>'),
            Email.From(f'"Customer {number}" <customer{number}@example.net>'),
            Email.Subject(f"Offer {number} and the müller file"),
            Email.DateReceived("2026-03-02T08:15:00.000Z"),
            Email.DisplayTo("Office"),
            Email.ThreadTopic(f"Offer {number}"),
            Email.Importance(1),
            Email.Read(number % 2 == 0),
            AirSyncBase.Body(
                AirSyncBase.Type(1),
                AirSyncBase.EstimatedDataSize(body_bytes),
                AirSyncBase.Truncated(False),
                AirSyncBase.Data(body),
            ),
            Email.MessageClass("IPM.Note"),
            Email.InternetCPID(65001),
            Email.Flag(),
            Email.ContentClass("urn:content-classes:message"),
            AirSyncBase.NativeBodyType(1),
            Email2.ConversationId(number.to_bytes(16, "big")),
            Email2.ConversationIndex(number.to_bytes(5, "big")),
            Email.Categories(),
        ),
    )


def answer(adds: list[Element] | list[Fragment]) -> Element:
    """Return a Sync answer with the adds for one collection."""
    return AirSync.Sync(
        AirSync.Collections(
            AirSync.Collection(
                AirSync.SyncKey("12"),
                AirSync.CollectionId("5"),
                AirSync.Status(1),
                AirSync.MoreAvailable(),
                AirSync.Commands(adds),
            )
        )
    )


def cpu_ms(*works: Work) -> list[float]:
    """Return the CPU milliseconds of one call of each, the best of several rounds, taken in turns."""
    calls = [_calls(work) for work in works]
    rounds = [[_cpu_s(*each) for each in zip(works, calls, strict=True)] for _ in range(ROUNDS)]
    return [min(spent) / count * 1000 for spent, count in zip(zip(*rounds, strict=True), calls, strict=True)]


def _calls(work: Work) -> int:
    """Return how many calls fill a round."""
    calls = 1
    while (spent := _cpu_s(work, calls)) < ROUND_S:
        calls = max(calls + 1, int(calls * ROUND_S / max(spent, ROUND_S / 100)))
    return calls


def _cpu_s(work: Work, calls: int) -> float:
    started = time.process_time()
    for _ in range(calls):
        work()
    return time.process_time() - started


def _rows(body_bytes: int) -> list[Row]:
    """Measure one document size."""
    tree = answer(_mails(body_bytes))
    body = encode(tree)
    cached = [encode_fragment([item], 0) for item in _mails(body_bytes)]
    ours: dict[str, Work] = {
        "encode": lambda: encode(tree),
        "encode cached": lambda: encode(answer(cached)),
        "build + encode": lambda: encode(answer(_mails(body_bytes))),
        "decode": lambda: decode(body),
        "decode, to use": lambda: decode(body),
    }
    assert {encode(answer(cached)), encode(decode(body))} == {body}
    with ExitStack() as stack:
        theirs = {} if libwbxml.MISSING else _theirs(body, stack)
        return [_row(f"{what}, {body_bytes} B bodies", body, ours[what], theirs.get(what)) for what in ours]


def _theirs(body: bytes, stack: ExitStack) -> dict[str, Work]:
    """Return libwbxml's counterparts, after checking that they make the same bytes."""
    document = stack.enter_context(libwbxml.Document(body))
    reader = stack.enter_context(libwbxml.Reader())
    parser = etree.XMLParser(huge_tree=True, resolve_entities=False)
    xml = libwbxml.wbxml2xml(body)
    assert reader.xml(body) == xml
    assert document.encode() == libwbxml.encode_xml(xml) == body
    return {
        "encode": document.encode,
        "encode cached": document.encode,
        "build + encode": lambda: libwbxml.encode_xml(xml),
        "decode": lambda: libwbxml.Document(body).close(),
        "decode, to use": lambda: etree.fromstring(reader.xml(body), parser),
    }


def _mails(body_bytes: int) -> list[Element]:
    return [mail(number, body_bytes) for number in range(MAILS)]


def _row(what: str, body: bytes, ours: Work, theirs: Work | None) -> Row:
    ms, *rest = cpu_ms(ours, theirs) if theirs else cpu_ms(ours)
    return Row(what, len(body), ms, rest[0] / ms if rest else None)


def main() -> None:
    """Print the table."""
    print(COMPARED)
    print(f"{f'WBXML, Sync answer of {MAILS} mails':34} {'kB':>6} {'ms':>8} {'MB/s':>7} {'x libwbxml':>11}")
    for row in run():
        ratio = f"{row.ratio:.2f}" if row.ratio else "-"
        print(f"{row.what:34} {row.document_bytes / 1000:6.0f} {row.ms:8.3f} {row.mb_per_s:7.0f} {ratio:>11}")
    if libwbxml.MISSING:
        print(f"no ratio: {libwbxml.MISSING}")


if __name__ == "__main__":
    main()
