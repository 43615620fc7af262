"""The grammar of a Sync request, and how a partial one is completed."""

import pytest

from appliance.eas.status import ProtocolError
from appliance.eas.sync_request import CollectionRequest, Limits, OutOfLimit, is_partial, merge, parse
from appliance.wbxml.codepages import AirSync, Email
from appliance.wbxml.element import Element
from tests.covers import covers

LIMITS = Limits(collections_max=3, heartbeat_min_s=60, heartbeat_max_s=3540)


def collection(*children: Element, key: str = "k.1", folder: str = "5") -> Element:
    return AirSync.Collection(AirSync.SyncKey(key), AirSync.CollectionId(folder), list(children))


def sync(*collections: Element, tail: tuple[Element, ...] = ()) -> Element:
    return AirSync.Sync(AirSync.Collections(list(collections)), list(tail))


def one(*children: Element) -> CollectionRequest:
    return parse(sync(collection(*children)), LIMITS).collections[0]


def status_of(document: Element) -> int:
    with pytest.raises(ProtocolError) as raised:
        parse(document, LIMITS)
    return raised.value.status


@covers("MS-ASCMD_R4767", "MS-ASCMD_R2161", "MS-ASCMD_R5875")
def test_defaults():
    asked = one()
    assert (asked.collection_id, asked.sync_key) == ("5", "k.1")
    assert asked.window_size == 100
    assert asked.get_changes is None
    assert asked.deletes_as_moves is True
    assert asked.options is None
    assert asked.commands == ()


@covers("MS-ASCMD_R3127", "MS-ASCMD_R5874")
def test_empty_tags_are_true():
    asked = one(AirSync.DeletesAsMoves(), AirSync.GetChanges())
    assert asked.deletes_as_moves is True
    assert asked.get_changes is True


def test_false_is_false():
    asked = one(AirSync.DeletesAsMoves(0), AirSync.GetChanges(0))
    assert asked.deletes_as_moves is False
    assert asked.get_changes is False


@covers("MS-ASCMD_R4768")
@pytest.mark.parametrize(
    ("asked", "got"), [(1, 1), (512, 512), (0, 512), (513, 512), (99999, 512), (-3, 512)]
)
def test_window_sizes(asked, got):
    assert one(AirSync.WindowSize(asked)).window_size == got


def test_the_configuration_may_lower_the_window():
    limits = Limits(3, 60, 3540, window_size_max=50)
    request = parse(sync(collection(AirSync.WindowSize(400)), tail=(AirSync.WindowSize(0),)), limits)
    assert (request.collections[0].window_size, request.window_size) == (50, 50)


@covers("MS-ASCMD_R3227", "MS-ASCMD_R3228", "MS-ASCMD_R3229", "MS-ASCMD_R3230")
@pytest.mark.parametrize(
    ("element", "limit"),
    [
        (AirSync.Wait(0), 1),
        (AirSync.Wait(-1), 1),
        (AirSync.Wait(60), 59),
        (AirSync.HeartbeatInterval(59), 60),
        (AirSync.HeartbeatInterval(0), 60),
        (AirSync.HeartbeatInterval(3541), 3540),
    ],
    ids=str,
)
def test_intervals_out_of_range(element, limit):
    with pytest.raises(OutOfLimit) as raised:
        parse(sync(collection(), tail=(element,)), LIMITS)
    assert (raised.value.status, raised.value.limit) == (14, limit)


@pytest.mark.parametrize(
    ("element", "wait_s"),
    [
        (AirSync.Wait(1), 60),
        (AirSync.Wait(59), 3540),
        (AirSync.HeartbeatInterval(60), 60),
        (AirSync.HeartbeatInterval(3540), 3540),
        (AirSync.Wait(), 0),
    ],
    ids=str,
)
def test_intervals(element, wait_s):
    assert parse(sync(collection(), tail=(element,)), LIMITS).wait_s == wait_s


@covers("MS-ASCMD_R3162", "MS-ASCMD_R4748")
def test_both_kinds_of_interval():
    assert status_of(sync(collection(), tail=(AirSync.Wait(5), AirSync.HeartbeatInterval(300)))) == 4


def test_too_many_collections_are_told_how_many_may_be():
    with pytest.raises(OutOfLimit) as raised:
        parse(sync(*(collection(folder=str(n)) for n in range(1, 5))), LIMITS)
    assert (raised.value.status, raised.value.limit) == (15, 3)


@covers("MS-ASCMD_R4545", "MS-ASCMD_R4430", "MS-ASCMD_R5778", "MS-ASCMD_R4431", "MS-ASCMD_R5779")
@pytest.mark.parametrize(
    "document",
    [
        AirSync.Sync(),
        AirSync.Sync(AirSync.Collections()),
        sync(AirSync.Collection(AirSync.SyncKey("0"), AirSync.Supported())),
        sync(AirSync.Collection(AirSync.CollectionId("5"))),
        sync(AirSync.Collection(AirSync.SyncKey(), AirSync.CollectionId("5"))),
        sync(collection(), collection()),
        sync(collection(key="k" * 65)),
        sync(collection(folder="5" * 65)),
        sync(collection(AirSync.Commands(AirSync.SoftDelete(AirSync.ServerId("1"))))),
        sync(collection(AirSync.Commands(AirSync.Change(AirSync.ApplicationData(Email.Read(1)))))),
        sync(collection(AirSync.Commands(AirSync.Delete(AirSync.ServerId("1" * 65))))),
        sync(collection(AirSync.Commands(AirSync.Add(AirSync.ApplicationData())))),
        sync(collection(AirSync.GetChanges("perhaps"))),
        sync(collection(AirSync.WindowSize("many"))),
        Email.Read(1),
    ],
)
def test_breaches_of_the_grammar(document):
    assert status_of(document) == 4


@covers("MS-ASCMD_R5659")
def test_more_than_200_commands():
    def commands(count: int) -> Element:
        return AirSync.Commands([AirSync.Delete(AirSync.ServerId(str(n + 1))) for n in range(count)])

    assert len(one(commands(200)).commands) == 200
    assert status_of(sync(collection(commands(100)), collection(commands(101), folder="6"))) == 4


def test_a_request_is_recognised_by_its_digest():
    delete = AirSync.Commands(AirSync.Delete(AirSync.ServerId("1")))
    assert one(delete).digest == one(delete).digest
    assert one(delete).digest != one().digest
    assert one(delete).commands_digest == one(AirSync.WindowSize(5), delete).commands_digest
    other_key = parse(sync(collection(delete, key="k.2")), LIMITS).collections[0]
    assert other_key.commands_digest != one(delete).commands_digest


@pytest.mark.parametrize("value", [AirSync.Partial(), AirSync.Partial(1)])
def test_partial(value):
    assert is_partial(AirSync.Sync(AirSync.Wait(5), value))


def test_not_partial():
    assert not is_partial(sync(collection()))
    assert not is_partial(sync(collection(), tail=(AirSync.Partial(0),)))


@pytest.mark.parametrize("document", [AirSync.Sync(AirSync.Partial()), AirSync.Sync(AirSync.Partial("x"))])
def test_partial_with_nothing_else_is_refused(document):
    with pytest.raises(ProtocolError) as raised:
        is_partial(document)
    assert raised.value.status == 4


def test_a_partial_request_is_completed():
    kept = sync(
        collection(AirSync.WindowSize(7), folder="5"),
        collection(folder="6", key="k.9"),
        tail=(AirSync.Wait(10), AirSync.WindowSize(50)),
    )
    partial = sync(
        collection(folder="6", key="k.10"), tail=(AirSync.HeartbeatInterval(90), AirSync.Partial())
    )
    whole = parse(merge(partial, kept), LIMITS)
    assert [(c.collection_id, c.sync_key) for c in whole.collections] == [("6", "k.10"), ("5", "k.1")]
    assert whole.collections[1].window_size == 7
    assert (whole.wait_s, whole.window_size) == (90, 50)
