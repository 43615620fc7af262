"""The schema check itself: it accepts what is right and finds what is wrong."""

import pytest

from appliance.wbxml.codepages import AirSync, Ping
from tests.unit.eas import schema

pytestmark = pytest.mark.skipif(not schema.is_at_hand(), reason="no schemas beside the repository")


def test_a_right_answer_passes():
    schema.check(Ping.Ping(Ping.Status(2), Ping.Folders(Ping.Folder("5"))))


@pytest.mark.parametrize(
    "answer",
    [
        Ping.Ping(Ping.Folders(Ping.Folder("5")), Ping.Status(2)),
        Ping.Ping(Ping.Status("two")),
        AirSync.Sync(AirSync.Collections(AirSync.Collection(AirSync.SyncKey("1"), AirSync.ServerId("7")))),
    ],
    ids=["order", "type", "stranger"],
)
def test_a_wrong_answer_is_found(answer):
    with pytest.raises(schema.SchemaError):
        schema.check(answer)
