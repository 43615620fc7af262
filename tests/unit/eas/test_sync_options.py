"""What a device wants of a collection."""

import pytest

from appliance.eas import sync_options
from appliance.eas.status import ProtocolError
from appliance.eas.sync_options import BodyPreference, Options
from appliance.wbxml.codepages import AirSync, AirSyncBase
from tests.covers import covers
from tests.unit.eas.world import body_preference


def parse(*blocks):
    return sync_options.parse(blocks)


def status_of(*blocks):
    with pytest.raises(ProtocolError) as raised:
        parse(*blocks)
    return raised.value.status


def test_no_options_say_nothing():
    assert parse() is None


def test_an_empty_block_resets_everything():
    assert parse(AirSync.Options()) == Options()


def test_everything():
    block = AirSync.Options(
        AirSync.FilterType(3),
        AirSync.Conflict(0),
        AirSync.MIMESupport(1),
        AirSync.MIMETruncation(4),
        body_preference(2, 5_000, all_or_none=True, preview=300),
        body_preference(4),
    )
    assert parse(block) == Options(
        filter_type=3,
        client_wins=True,
        mime_support=1,
        mime_truncation=10_240,
        bodies=(BodyPreference(2, 5_000, True, 255), BodyPreference(4)),
    )


@covers("MS-ASCMD_R2066", "MS-ASCMD_R2068")
@pytest.mark.parametrize("block", [AirSync.Options(), AirSync.Options(AirSync.Conflict(1))])
def test_the_server_wins_unless_told_otherwise(block):
    assert parse(block).client_wins is False


@covers("MS-ASCMD_R934")
def test_the_block_for_text_messages_changes_nothing():
    sms = AirSync.Options(AirSync.Class("SMS"), AirSync.FilterType(5))
    mail = AirSync.Options(AirSync.Class("Email"), AirSync.FilterType(2))
    assert parse(sms, mail) == Options(filter_type=2)
    assert parse(mail, sms) == Options(filter_type=2)
    assert parse(sms) is None


@covers("MS-ASCMD_R930", "MS-ASCMD_R935")
@pytest.mark.parametrize("other", ["Email", "Calendar", "Contacts", "Tasks", "Notes"])
def test_two_blocks_for_mail_contradict_each_other(other):
    assert status_of(AirSync.Options(), AirSync.Options(AirSync.Class(other))) == 4
    named = AirSync.Options(AirSync.Class("Email"))
    assert status_of(named, AirSync.Options(AirSync.Class(other))) == 4


@covers("MS-ASCMD_R938", "MS-ASCMD_R2075", "MS-ASCMD_R3075", "MS-ASCMD_R3280", "MS-ASCMD_R3404")
@covers("MS-ASCMD_R3432")
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (AirSync.Class("Email"), AirSync.Class("Email")),
        (AirSync.Conflict(0), AirSync.Conflict(1)),
        (AirSync.FilterType(2), AirSync.FilterType(5)),
        (AirSync.MaxItems(2), AirSync.MaxItems(5)),
        (AirSync.MIMESupport(1), AirSync.MIMESupport(2)),
        (AirSync.MIMETruncation(1), AirSync.MIMETruncation(2)),
    ],
    ids=str,
)
def test_what_is_said_twice_counts_once(first, second):
    assert parse(AirSync.Options(first, second)) == parse(AirSync.Options(first))


@covers("MS-ASAIRS_R350")
@pytest.mark.parametrize(
    "child",
    [
        AirSync.FilterType(9),
        AirSync.FilterType(-1),
        AirSync.FilterType("soon"),
        AirSync.MIMESupport(3),
        AirSync.MIMETruncation(9),
        body_preference(0),
        body_preference(5),
        AirSyncBase.BodyPreference(AirSyncBase.Type(1), AirSyncBase.TruncationSize(-1)),
        AirSyncBase.BodyPreference(AirSyncBase.Type(1), AirSyncBase.AllOrNone("maybe")),
    ],
    ids=str,
)
def test_values_outside_the_protocol(child):
    assert status_of(AirSync.Options(child)) == 4


def test_two_preferences_of_one_type():
    assert status_of(AirSync.Options(body_preference(1), body_preference(1, 200))) == 4


@covers("MS-ASAIRS_R401")
def test_all_or_none_means_nothing_without_a_size():
    assert parse(AirSync.Options(body_preference(1, all_or_none=True))).bodies == (BodyPreference(1),)


@covers("MS-ASCMD_R3418", "MS-ASCMD_R3419", "MS-ASCMD_R3420", "MS-ASCMD_R3421", "MS-ASCMD_R3422")
@covers("MS-ASCMD_R3423", "MS-ASCMD_R3424", "MS-ASCMD_R3425", "MS-ASCMD_R3426")
@pytest.mark.parametrize(
    ("code", "size"),
    [
        (0, 0),
        (1, 4_096),
        (2, 5_120),
        (3, 7_168),
        (4, 10_240),
        (5, 20_480),
        (6, 51_200),
        (7, 102_400),
        (8, None),
    ],
)
def test_mime_truncation_codes(code, size):
    assert parse(AirSync.Options(AirSync.MIMETruncation(code))).mime_truncation == size


def test_options_survive_the_state_row():
    options = Options(5, True, 2, 4_096, (BodyPreference(1, 10), BodyPreference(2, None, False, 80)))
    assert Options.from_json(options.to_json()) == options
    assert Options.from_json("") == Options()
