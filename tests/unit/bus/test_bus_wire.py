"""Batches of hints as bytes, and the set that merges them before they are sent."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.bus import Hint
from appliance.net import bus_wire
from appliance.net.bus_wire import EVERYTHING, Outbox, decode, encode

texts = st.text(st.characters(exclude_categories=["C", "Zl", "Zp", "Zs"]), max_size=50)
hints = st.builds(Hint, texts.filter(bool), texts)


@given(st.lists(hints))
def test_what_is_encoded_is_decoded(batch):
    assert decode(encode(batch)) == batch


@given(st.binary())
def test_garbage_is_no_error(batch):
    for hint in decode(batch):
        assert hint.topic


def test_lines_that_make_no_sense_are_skipped():
    assert decode(b"t\t1\nno tab\n\t2\nu\t\x00\nv\t3\n\n\xff\t1") == [("t", "1"), ("v", "3"), ("\ufffd", "1")]


@given(st.lists(hints, max_size=60), st.integers(min_value=420, max_value=2000))
def test_batches_stay_below_their_size_and_lose_nothing(batch, bytes_max):
    outbox = Outbox()
    outbox.put(batch)
    taken: list[Hint] = []
    while outbox:
        part = outbox.take(bytes_max)
        assert part, "an outbox that is not empty must give something"
        assert len(encode(part)) <= bytes_max
        taken += part
    assert taken == list(dict.fromkeys(batch))


def test_a_hint_published_during_the_sending_goes_out_again():
    outbox = Outbox()
    outbox.put([Hint("t")])
    sending = outbox.take()
    outbox.put([Hint("t")])
    assert sending == [("t", "")]
    assert outbox.take() == [("t", "")]


def test_too_much_becomes_everything(monkeypatch):
    monkeypatch.setattr(bus_wire, "OUTBOX_HINTS_MAX", 10)
    outbox = Outbox()
    outbox.put(Hint("t", str(number)) for number in range(11))
    outbox.put([Hint("u")])
    assert outbox.take() == [EVERYTHING]
    outbox.put([Hint("u")])
    assert outbox.take() == [("u", "")]
