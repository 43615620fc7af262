"""What a phone hears of an error that no command translated itself."""

import pytest

from appliance.eas.status import Common, common_for
from appliance.errors import DiskFull, QuotaExceeded, TemporaryFailure


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (TemporaryFailure("x"), Common.SERVER_ERROR_RETRY_LATER),
        (DiskFull("x"), Common.SERVER_ERROR_RETRY_LATER),
        (QuotaExceeded("x"), Common.MAILBOX_QUOTA_EXCEEDED),
        (KeyError("a bug"), Common.SERVER_ERROR_RETRY_LATER),
    ],
    ids=repr,
)
def test_only_what_the_user_can_change_is_not_for_later(error: Exception, status: Common) -> None:
    assert common_for(error) is status
