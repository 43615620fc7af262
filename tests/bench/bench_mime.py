"""How long one message costs on arrival: scan, summarise, and what reads it later.

`run()` returns (what, value, unit) rows; `python -m tests.bench.bench_mime` prints them.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes, policy

from appliance.mime.addresses import Address
from appliance.mime.body import decode_leaf, html_body, plain_body
from appliance.mime.compose import Attachment, build_message
from appliance.mime.message import summarise
from appliance.mime.scan import scan
from appliance.mime.structure import Structure

NOW = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
WORDS = "The quarterly figures are attached; please tell me by Friday whether the plan still holds. "


def typical_message() -> bytes:
    """Return a message of about 4 kB as offices send them: text, HTML, a dozen transport fields."""
    text = "\n".join(WORDS * 2 for _ in range(5)) + "\n\n-- \nErika Example\nExample Ltd\n"
    html = "<html><body>" + "".join(f"<p>{WORDS * 2}</p>" for _ in range(5)) + "</body></html>"
    message = build_message(
        from_=Address("Erika Example", "erika@example.com"),
        to=[Address("Max Sample", "max@example.net"), Address("Zoë", "zoe@example.net")],
        cc=[Address("Team", "team@example.com")],
        subject="Re: Figures for the third quarter, Grüße",
        text=text,
        html=html,
        message_id_domain="example.com",
        now=NOW,
        headers={"References": "<1@example.com>\r\n <2@example.com>", "In-Reply-To": "<2@example.com>"},
    )
    hops = "".join(
        f"Received: from relay{n}.example.net (relay{n}.example.net [192.0.2.{n}])\r\n"
        f"\tby mx.example.net with ESMTPS id {n}ABCDEF; Sat, 14 Mar 2026 09:30:0{n} +0000\r\n"
        for n in range(4)
    )
    return hops.encode() + message


def with_attachment(size_bytes: int) -> bytes:
    """Return a message with one attachment of that size."""
    return build_message(
        from_=Address("Erika Example", "erika@example.com"),
        to=[Address("", "max@example.net")],
        subject="Scan",
        text="See attachment.\n",
        attachments=[Attachment("scan.pdf", "application/pdf", bytes(range(256)) * (size_bytes // 256))],
        message_id_domain="example.com",
        now=NOW,
    )


def measure(work: Callable[[], object], seconds: float = 0.3) -> float:
    """Return milliseconds of the best of five rounds of calls."""
    work()
    best = float("inf")
    for _ in range(5):
        calls, began = 0, time.perf_counter()
        while (spent := time.perf_counter() - began) < seconds / 5:
            work()
            calls += 1
        best = min(best, spent / calls)
    return best * 1_000


def run() -> list[tuple[str, float, str]]:
    """Return rows of (what, value, unit)."""
    typical, large = typical_message(), with_attachment(10_000_000)
    structure, large_structure = scan(typical), scan(large)
    stored = structure.to_json()
    scanned = measure(lambda: scan(typical))
    both = measure(lambda: summarise(typical, scan(typical)))
    stdlib = measure(lambda: [p.get_payload(decode=True) for p in message_from_bytes(typical).walk()])
    default = measure(lambda: message_from_bytes(typical, policy=policy.default).items())
    return [
        ("size of the typical message", len(typical) / 1_000, "kB"),
        ("scan", scanned, "ms"),
        ("scan + summarise", both, "ms"),
        ("standard library, compat32: parse + decode", stdlib, "ms"),
        ("standard library, default policy: parse + read fields", default, "ms"),
        ("structure from stored JSON", measure(lambda: Structure.from_json(stored)), "ms"),
        ("plain body", measure(lambda: plain_body(typical, structure)), "ms"),
        ("HTML body", measure(lambda: html_body(typical, structure)), "ms"),
        ("scan, 10 MB attachment", measure(lambda: scan(large)), "ms"),
        ("decode 10 MB attachment", measure(lambda: decode_leaf(large, large_structure.part("2"))), "ms"),
    ]


if __name__ == "__main__":
    for what, value, unit in run():
        print(f"{what:<56}{value:>10.3f} {unit}")
