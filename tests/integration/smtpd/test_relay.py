"""An attempt against scripted servers, found through a DNS server of our own."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from random import Random

import gevent
import pytest

from appliance.items.envelope import RecipientWishes
from appliance.net.resolver import DnsResolver
from appliance.net.tls import Certificate
from smtpd.body import body_in_memory
from smtpd.connections import ServerBusy
from smtpd.outcome import Delivered, Failed, Outcome, Retry
from smtpd.relay import Relay, RelayConfig, RelayMessage
from smtpd.remote import RelayDeadlines
from tests.fakes.dns import SERVFAIL, FakeDns, Zones
from tests.fakes.mx import CLOSE, DRIP, SILENCE, FakeMx

QUICK = RelayDeadlines(
    connect_s=1, greeting_s=0.5, command_s=0.5, block_s=0.5, final_s=0.5, handshake_s=1, attempt_s=20
)
RAW = b"Subject: x\r\n\r\n.dot\r\nbody\r\n"
LETTER = RelayMessage("alice@example.test", body_in_memory(RAW))
TWO_HOSTS: Zones = {
    "example.net": {"MX": ["10 one.example.net.", "20 two.example.net."]},
    "one.example.net": {"A": ["127.0.0.1"]},
    "two.example.net": {"A": ["127.0.0.2"]},
}


@contextmanager
def relay(zones: Zones, port: int, deadlines: RelayDeadlines = QUICK, **limits: float) -> Iterator[Relay]:
    with FakeDns(zones) as dns:
        resolver = DnsResolver("127.0.0.1", dns.port, lifetime_s=1)
        one = Relay(resolver, RelayConfig("mx.example.test", port, deadlines, **limits), random=Random(1))
        yield one
        one.close()


def attempt(
    mx: FakeMx, recipients: Sequence[str] = ("x@example.net",), message: RelayMessage = LETTER
) -> list[Outcome]:
    """Deliver to example.net, whose only server is `mx`."""
    zones = {"example.net": {"MX": ["10 one.example.net."]}, "one.example.net": {"A": [mx.host]}}
    with relay(zones, mx.port) as one:
        return one.deliver("example.net", recipients, message)


def test_delivered() -> None:
    with FakeMx() as mx:
        assert (
            attempt(mx, ["x@example.net", "y@example.net"])
            == [Delivered("250 2.0.0 OK", "one.example.net")] * 2
        )
    [message] = mx.messages
    assert message.mail == f"<alice@example.test> SIZE={len(RAW)}"
    assert message.recipients == ["<x@example.net>", "<y@example.net>"]
    assert message.body == RAW
    assert mx.commands[0] == "EHLO mx.example.test"
    assert mx.commands[-1] == "QUIT"


def test_each_recipient_has_its_own_outcome() -> None:
    with FakeMx({"RCPT": ["250 2.1.5 OK", "550 5.1.1 nobody", "450 4.2.0 greylisted"]}) as mx:
        outcomes = attempt(mx, ["x@example.net", "y@example.net", "z@example.net"])
    assert outcomes == [
        Delivered("250 2.0.0 OK", "one.example.net"),
        Failed("550 5.1.1 nobody", "one.example.net"),
        Retry("450 4.2.0 greylisted", "one.example.net"),
    ]


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ({"MAIL": "550 5.7.1 no"}, Failed),
        ({"MAIL": "451 4.7.1 later"}, Retry),
        ({"RCPT": "550 5.1.1 no"}, Failed),
        ({"DATA": "554 5.3.0 no"}, Failed),
        ({"DATA": "451 4.3.0 later"}, Retry),
        ({"MESSAGE": "554 5.6.0 spam"}, Failed),
        ({"MESSAGE": "452 4.3.1 full"}, Retry),
        ({"MESSAGE": CLOSE}, Retry),
        ({"MESSAGE": SILENCE}, Retry),
        ({"MESSAGE": "huh"}, Retry),
        ({"GREETING": "554 no"}, Retry),
        ({"GREETING": "421 busy"}, Retry),
        ({"GREETING": CLOSE}, Retry),
        ({"GREETING": SILENCE}, Retry),
        ({"GREETING": "SSH-2.0-OpenSSH"}, Retry),
        ({"EHLO": "550 no", "HELO": "550 no"}, Retry),
        ({"EHLO": CLOSE}, Retry),
        ({"MAIL": CLOSE}, Retry),
        ({"MAIL": SILENCE}, Retry),
        ({"RCPT": "421 4.3.2 going down"}, Retry),
        ({"RCPT": "250 " + "x" * 5000}, Retry),
    ],
    ids=str,
)
def test_what_a_server_says_is_the_outcome(script: dict[str, str], kind: type[Outcome]) -> None:
    with FakeMx(script) as mx:
        [outcome] = attempt(mx)
    assert isinstance(outcome, kind)
    assert not any(message.body for message in mx.messages)  # RFC 2920 3.1: an empty one may have to be


def test_helo_is_enough() -> None:
    with FakeMx({"EHLO": "502 what"}) as mx:
        assert isinstance(attempt(mx)[0], Delivered)
    assert mx.messages[0].mail == "<alice@example.test>"


def test_the_next_server_when_the_first_is_down() -> None:
    with FakeMx(host="127.0.0.2") as mx, relay(TWO_HOSTS, mx.port) as one:
        assert one.deliver("example.net", ["x@example.net"], LETTER) == [
            Delivered("250 2.0.0 OK", "two.example.net")
        ]


@pytest.mark.parametrize("script", [{"GREETING": "554 no"}, {"EHLO": CLOSE}, {"MAIL": CLOSE}], ids=str)
def test_the_next_server_when_the_first_judges_nobody(script: dict[str, str]) -> None:
    with (
        FakeMx(script) as first,
        FakeMx(host="127.0.0.2", port=first.port) as second,
        relay(TWO_HOSTS, first.port) as one,
    ):
        [outcome] = one.deliver("example.net", ["x@example.net"], LETTER)
    assert isinstance(outcome, Delivered)
    assert (len(first.messages), len(second.messages)) == (0, 1)


@pytest.mark.parametrize(
    "script", [{"MESSAGE": CLOSE}, {"RCPT": "550 5.1.1 no"}, {"RCPT": "450 4.2.0 no"}], ids=str
)
def test_no_second_opinion_once_recipients_were_judged(script: dict[str, str]) -> None:
    with (
        FakeMx(script) as first,
        FakeMx(host="127.0.0.2", port=first.port) as second,
        relay(TWO_HOSTS, first.port) as one,
    ):
        one.deliver("example.net", ["x@example.net"], LETTER)
    assert second.connections == 0


UNFIT = [
    (["SIZE 10"], "552 5.3.4", LETTER),
    (["8BITMIME"], "550 5.6.7", replace(LETTER, needs_smtputf8=True)),
]


@pytest.mark.parametrize(("extensions", "reply", "message"), UNFIT, ids=["size", "smtputf8"])
def test_a_server_that_cannot_take_the_message_has_a_sibling(
    extensions: list[str], reply: str, message: RelayMessage
) -> None:
    with (
        FakeMx(extensions=extensions) as first,
        FakeMx(host="127.0.0.2", port=first.port) as second,
        relay(TWO_HOSTS, first.port) as one,
    ):
        [outcome] = one.deliver("example.net", ["x@example.net"], message)
        assert outcome == Delivered("250 2.0.0 OK", "two.example.net")
        assert isinstance(one.deliver("example.net", ["x@example.net"], LETTER)[0], Delivered)
    assert first.connections == 1, "it is fit for other messages"
    assert len(second.messages) == (2 if reply == "552 5.3.4" else 1)


@pytest.mark.parametrize(("extensions", "reply", "message"), UNFIT, ids=["size", "smtputf8"])
def test_it_is_final_when_every_server_says_so(
    extensions: list[str], reply: str, message: RelayMessage
) -> None:
    """By one of its addresses; nobody is at the other."""
    zones = TWO_HOSTS | {"one.example.net": {"A": ["127.0.0.1", "127.0.0.3"]}}
    with (
        FakeMx(extensions=extensions) as first,
        FakeMx(host="127.0.0.2", port=first.port, extensions=extensions) as second,
        relay(zones, first.port) as one,
    ):
        [outcome] = one.deliver("example.net", ["x@example.net"], message)
    assert isinstance(outcome, Failed)
    assert (outcome.reply[:9], outcome.host) == (reply, "two.example.net")
    assert (first.messages, second.messages) == ([], [])


def test_a_server_without_an_address_changes_nothing_about_its_siblings() -> None:
    zones = TWO_HOSTS | {"two.example.net": {"TXT": ['"x"']}}
    with FakeMx(extensions=["SIZE 10"]) as mx, relay(zones, mx.port) as one:
        [outcome] = one.deliver("example.net", ["x@example.net"], LETTER)
    assert isinstance(outcome, Failed)
    assert (outcome.reply[:9], outcome.host) == ("552 5.3.4", "one.example.net")
    with relay(zones, mx.port) as one:
        assert isinstance(one.deliver("example.net", ["x@example.net"], LETTER)[0], Retry)


@pytest.mark.parametrize("other", ["down", "unknown"])
@pytest.mark.parametrize("is_first", [True, False])
def test_it_is_not_final_while_a_server_could_not_be_asked(other: str, is_first: bool) -> None:
    names = ["one", "two"] if is_first else ["two", "one"]
    zones: Zones = {
        "example.net": {"MX": [f"{n} {name}.example.net." for n, name in enumerate(names)]},
        "one.example.net": {"A": ["127.0.0.1"]},
        "two.example.net": {"A": ["127.0.0.2"]} if other == "down" else SERVFAIL,
    }
    with FakeMx(extensions=["SIZE 10"]) as mx, relay(zones, mx.port) as one:
        [outcome] = one.deliver("example.net", ["x@example.net"], LETTER)
    assert mx.connections == 1
    assert isinstance(outcome, Retry)


def test_a_server_that_refuses_the_size_when_it_hears_it_has_a_sibling() -> None:
    with (
        FakeMx({"MAIL": "552 5.3.4 too big"}) as first,
        FakeMx(host="127.0.0.2", port=first.port) as second,
        relay(TWO_HOSTS, first.port) as one,
    ):
        assert isinstance(one.deliver("example.net", ["x@example.net"], LETTER)[0], Delivered)
    assert (first.connections, len(second.messages)) == (1, 1)


@pytest.mark.parametrize(
    ("zones", "expected"),
    [
        ({}, Failed("550 5.1.2 The domain example.net does not exist")),
        ({"example.net": {"MX": ["0 ."]}}, Failed("556 5.1.10 The domain example.net accepts no mail")),
        (
            {"example.net": {"TXT": ['"x"']}},
            Failed("550 5.4.4 example.net, a server for example.net, has no address"),
        ),
        (
            {
                "example.net": {"MX": ["1 a.example.net.", "2 b.example.net."]},
                "a.example.net": {"TXT": ['"x"']},
            },
            Failed("550 5.4.4 b.example.net, a server for example.net, has no address"),
        ),
    ],
)
def test_facts_of_dns(zones: Zones, expected: Outcome) -> None:
    with relay(zones, 1) as one:
        assert one.deliver("example.net", ["x@example.net"], LETTER) == [expected]


@pytest.mark.parametrize(
    "zones",
    [
        {"example.net": SERVFAIL},
        {"example.net": {"MX": ["1 a.example.net."]}, "a.example.net": SERVFAIL},
        {"example.net": {"MX": ["1 a.example.net.", "2 b.example.net."]}, "a.example.net": SERVFAIL},
    ],
)
def test_dns_trouble_is_temporary(zones: Zones) -> None:
    with relay(zones, 1) as one:
        [outcome] = one.deliver("example.net", ["x@example.net"], LETTER)
    assert isinstance(outcome, Retry)
    assert outcome.reply.startswith("451 4.4.3")


def test_implicit_mx() -> None:
    with FakeMx() as mx, relay({"example.net": {"A": ["127.0.0.1"]}}, mx.port) as one:
        assert isinstance(one.deliver("example.net", ["x@example.net"], LETTER)[0], Delivered)


def test_tls_when_offered(certificate: Certificate) -> None:
    with FakeMx(tls=certificate.context()) as mx:
        assert isinstance(attempt(mx)[0], Delivered)
    assert mx.messages[0].is_encrypted
    assert [command.split()[0] for command in mx.commands] == [
        *("EHLO", "STARTTLS", "EHLO", "MAIL", "RCPT", "DATA", "QUIT")
    ]


@pytest.mark.parametrize("refusal", ["454 4.7.0 not now", "220 but then nonsense"])
def test_plain_when_tls_fails(certificate: Certificate, refusal: str) -> None:
    class Broken(FakeMx):
        def reply_to(self, verb: str) -> str:
            return refusal if verb == "STARTTLS" else super().reply_to(verb)

    context = certificate.context() if refusal.startswith("454") else _BROKEN
    with Broken(tls=context) as mx:  # type: ignore[arg-type]  # a stand-in whose handshake fails
        assert isinstance(attempt(mx)[0], Delivered)
    assert not mx.messages[0].is_encrypted


class _BrokenContext:
    def wrap_socket(self, *_: object, **__: object) -> None:
        raise OSError("no handshake today")


_BROKEN = _BrokenContext()


def test_a_server_that_is_ourselves() -> None:
    with FakeMx({"GREETING": "220 mx.example.test ESMTP"}) as mx:
        [outcome] = attempt(mx)
    assert isinstance(outcome, Failed)
    assert outcome.reply.startswith("554 5.4.6")


def test_more_recipients_than_a_transaction_takes() -> None:
    recipients = [f"user{n}@example.net" for n in range(250)]
    with FakeMx() as mx:
        outcomes = attempt(mx, recipients)
    assert all(isinstance(outcome, Delivered) for outcome in outcomes)
    assert [len(message.recipients) for message in mx.messages] == [100, 100, 50]


def test_a_message_over_the_servers_limit() -> None:
    with FakeMx() as mx:
        [outcome] = attempt(mx, message=replace(LETTER, body=body_in_memory(b"x" * 1_000_001)))
    assert isinstance(outcome, Failed)
    assert outcome.reply.startswith("552 5.3.4")


def test_a_large_message_arrives_whole() -> None:
    raw = b"Subject: x\r\n\r\n" + b"".join(b".%d\r\n" % n for n in range(100_000))
    with FakeMx(extensions=["PIPELINING"]) as mx:
        assert isinstance(attempt(mx, message=replace(LETTER, body=body_in_memory(raw)))[0], Delivered)
    assert mx.messages[0].body == raw


def test_bare_line_ends_never_leave_us() -> None:
    with FakeMx() as mx:
        attempt(
            mx,
            message=replace(
                LETTER, body=body_in_memory(b"Subject: x\n\nbody\n.\nMAIL FROM:<evil@example.com>\r")
            ),
        )
    assert mx.messages[0].body == b"Subject: x\r\n\r\nbody\r\n.\r\nMAIL FROM:<evil@example.com>\r\n"


@pytest.mark.parametrize("address", ["", "no-at-sign", "a b@example.net", "x@example.net>\r\nRCPT TO:<y@z"])
def test_a_path_that_is_none_fails_alone(address: str) -> None:
    with FakeMx() as mx:
        outcomes = attempt(mx, [address, "x@example.net"])
    assert isinstance(outcomes[0], Failed)
    assert isinstance(outcomes[1], Delivered)


def test_the_null_path_and_8bit() -> None:
    with FakeMx() as mx:
        attempt(mx, message=RelayMessage("", body_in_memory("Subject: é\r\n\r\n".encode())))
    assert mx.messages[0].mail == "<> SIZE=15 BODY=8BITMIME"


def test_the_whole_attempt_has_a_deadline() -> None:
    hosts = {f"h{n}.example.net": {"A": ["127.0.0.1"]} for n in range(8)}
    zones: Zones = {"example.net": {"MX": [f"{n} h{n}.example.net." for n in range(8)]}, **hosts}
    with (
        FakeMx({"GREETING": SILENCE}) as mx,
        relay(zones, mx.port, replace(QUICK, greeting_s=0.5, attempt_s=1.2)) as one,
    ):
        began = time.monotonic()
        [outcome] = one.deliver("example.net", ["x@example.net"], LETTER)
    assert isinstance(outcome, Retry)
    assert 1.0 < time.monotonic() - began < 2.5


def test_a_reply_drip_has_a_deadline() -> None:
    class Dripping(FakeMx):
        def reply_to(self, verb: str) -> str:
            return "\r\n".join(["220-wait"] * 20) if verb == "GREETING" else super().reply_to(verb)

    with Dripping(delay_s=0.1) as mx:
        began = time.monotonic()
        [outcome] = attempt(mx)
    assert isinstance(outcome, Retry)
    assert time.monotonic() - began < 3


# --- used again -----------------------------------------------------------------------------------


def served(mx: FakeMx) -> Zones:
    return {"example.net": {"MX": ["10 one.example.net."]}, "one.example.net": {"A": [mx.host]}}


def test_a_warm_connection_is_used_again() -> None:
    with FakeMx() as mx, relay(served(mx), mx.port) as one:
        for _ in range(5):
            one.deliver("example.net", ["x@example.net"], LETTER)
        assert (mx.connections, len(mx.messages)) == (1, 5)
    assert [command.split()[0] for command in mx.commands[:8]] == [
        *("EHLO", "MAIL", "RCPT", "DATA", "MAIL", "RCPT", "DATA", "MAIL")
    ]


def test_a_connection_takes_so_many_messages() -> None:
    with FakeMx() as mx, relay(served(mx), mx.port, messages_per_connection_max=2) as one:
        for _ in range(5):
            one.deliver("example.net", ["x@example.net"], LETTER)
        assert mx.connections == 3


def test_after_a_refusal_the_next_message_starts_clean() -> None:
    with FakeMx({"DATA": ["554 5.3.0 no", "354 go"]}) as mx, relay(served(mx), mx.port) as one:
        assert isinstance(one.deliver("example.net", ["x@example.net"], LETTER)[0], Failed)
        assert isinstance(one.deliver("example.net", ["y@example.net"], LETTER)[0], Delivered)
        assert mx.connections == 1
    assert "RSET" in mx.commands


def test_an_idle_connection_is_closed_politely() -> None:
    with FakeMx() as mx, relay(served(mx), mx.port, idle_s=0.1) as one:
        one.deliver("example.net", ["x@example.net"], LETTER)
        deadline = time.monotonic() + 5
        while mx.commands[-1] != "QUIT":
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_server_that_hung_up_while_idle_costs_nothing() -> None:
    """It says goodbye, or just vanishes, and a new connection takes the message."""
    with FakeMx({"MAIL": ["250 ok", CLOSE, "250 ok"]}) as mx, relay(served(mx), mx.port) as one:
        for _ in range(2):
            assert isinstance(one.deliver("example.net", ["x@example.net"], LETTER)[0], Delivered)
        assert (mx.connections, len(mx.messages)) == (2, 2)


def test_so_many_connections_to_one_server_and_no_more() -> None:
    with FakeMx(delay_s=0.1) as mx, relay(served(mx), mx.port, per_server_max=2) as one:
        done: list[object] = []

        def deliver() -> None:
            try:
                done.extend(one.deliver("example.net", ["x@example.net"], LETTER))
            except ServerBusy as error:
                done.append(error)

        gevent.joinall([gevent.spawn(deliver) for _ in range(6)], timeout=20, raise_error=True)
        assert mx.open_max == 2
    assert sum(isinstance(each, ServerBusy) for each in done) == 4


def test_one_recipient_too_many_goes_at_once_with_the_next_transaction() -> None:
    script = {"RCPT": ["250 ok", "250 ok", "452 4.5.3 Too many recipients", "250 ok"]}
    with FakeMx(script) as mx:
        outcomes = attempt(mx, ["x@example.net", "y@example.net", "z@example.net"])
    assert all(isinstance(outcome, Delivered) for outcome in outcomes)
    assert [len(message.recipients) for message in mx.messages] == [2, 1]


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ({"RCPT": "552 too many recipients"}, Retry),
        ({"RCPT": "552 5.2.2 mailbox full"}, Failed),
        ({"RCPT": "452 4.5.3 too many recipients"}, Retry),
        ({"MAIL": "530 5.7.0 Must issue a STARTTLS command first"}, Retry),
    ],
    ids=str,
)
def test_replies_that_do_not_mean_what_they_begin_with(script: dict[str, str], kind: type[Outcome]) -> None:
    with FakeMx(script) as mx:
        assert isinstance(attempt(mx)[0], kind)


# --- what the sender asked for ----------------------------------------------------------------------

ASKED = replace(
    LETTER,
    ret="HDRS",
    envid="QQ+3D314",
    wishes={"x@example.net": RecipientWishes("SUCCESS,DELAY", "rfc822;x@example.org")},
)


def test_wishes_are_passed_on_to_a_server_that_knows_them() -> None:
    with FakeMx(extensions=["PIPELINING", "DSN"]) as mx:
        outcomes = attempt(mx, ["x@example.net", "y@example.net"], ASKED)
    assert [outcome.reports_itself for outcome in outcomes if isinstance(outcome, Delivered)] == [True, True]
    assert mx.messages[0].mail == "<alice@example.test> RET=HDRS ENVID=QQ+3D314"
    assert mx.messages[0].recipients == [
        "<x@example.net> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x@example.org",
        "<y@example.net>",
    ]


def test_wishes_stay_here_where_the_server_does_not() -> None:
    with FakeMx(extensions=[]) as mx:
        [outcome] = attempt(mx, message=ASKED)
    assert outcome == Delivered("250 2.0.0 OK", "one.example.net", reports_itself=False)
    assert (mx.messages[0].mail, mx.messages[0].recipients) == ("<alice@example.test>", ["<x@example.net>"])


def test_a_plain_message_never_asks_for_smtputf8() -> None:
    with FakeMx() as mx:
        attempt(mx, message=replace(LETTER, body=body_in_memory("Subject: x\r\n\r\né\r\n".encode())))
    assert "SMTPUTF8" not in mx.messages[0].mail


def test_an_internationalised_message_needs_a_server_for_it() -> None:
    with FakeMx(extensions=["8BITMIME"]) as mx:
        [outcome] = attempt(mx, message=replace(LETTER, needs_smtputf8=True))
    assert outcome == Failed(
        "550 5.6.7 The server does not take internationalised mail (SMTPUTF8)", "one.example.net"
    )


# --- servers that mean no good ----------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["GREETING", "EHLO", "MAIL", "RCPT", "DATA", "MESSAGE"])
@pytest.mark.parametrize("trick", [DRIP, SILENCE, CLOSE, "\x00\xff garbage", "250-never ends"])
def test_no_trick_at_any_stage_holds_us_or_loses_mail(stage: str, trick: str) -> None:
    began = time.monotonic()
    with FakeMx({stage: trick}) as mx:
        [outcome] = attempt(mx)
    assert isinstance(outcome, Retry), outcome
    assert time.monotonic() - began < 10  # each answer has half a second, however it comes


@pytest.mark.parametrize(
    ("ehlo", "kind"),
    [
        ("250-fake\r\n250-SIZE banana\r\n250-PIPELINING yes please\r\n250-\x7f\r\n250 AUTH=", Delivered),
        ("250-fake\r\n250 SIZE 3", Failed),
        ("250-fake\r\n250 STARTTLS", Delivered),  # and then does not know the command
        ("\r\n".join(["250-fake"] * 150) + "\r\n250 ok", Retry),
        ("250-fake\r\n550 but no", Retry),
    ],
    ids=["rubbish", "too small", "no starttls after all", "too long", "two codes"],
)
def test_lies_in_ehlo(ehlo: str, kind: type[Outcome]) -> None:
    with FakeMx({"EHLO": ehlo, "STARTTLS": "502 5.5.1 what?"}) as mx:
        [outcome] = attempt(mx)
    assert isinstance(outcome, kind), outcome


def test_a_server_that_throws_away_what_was_pipelined() -> None:
    """It announces PIPELINING and answers the first command only."""

    class Forgetful(FakeMx):
        def reply_to(self, verb: str) -> str:
            return SILENCE if verb == "RCPT" else super().reply_to(verb)

    with Forgetful() as mx:
        [outcome] = attempt(mx)
    assert isinstance(outcome, Retry)
    assert mx.messages == []
