"""Tell a user whose phone keeps trying a password that is no longer right: the phone itself says little.

Only for phones the account knows, so that no stranger can make mail; once a day for each. What counts as
"keeps trying" is `throttle.failed`.
"""

import logging
from datetime import datetime

from appliance import db, logs
from appliance.accounts import throttle
from appliance.db.tables import Device as Row
from appliance.devices import notices
from appliance.devices.notices import Notice
from appliance.errors import ApplianceError

log = logging.getLogger("appliance.devices")


def tell(account_id: int, device_id: str, now: datetime) -> None:
    """File the notice unless there was one lately. Raises nothing: the login is refused in any case."""
    try:
        with db.connection():
            about = _about(account_id, device_id)
            is_told = throttle.is_remembered(_scope(account_id, device_id), now)
        if about is None or is_told:
            return
        text = (
            "One of your devices signs in with a password that is not right, again and again. It gets no mail"
            f" until the new password is entered in its settings.\n\nDevice: {about}\n\n"
            "If you do not have such a device, tell your administrator.\n"
        )
        notice = notices.prepare(account_id, "A device uses an old password", text, now)
        if _file(notice, _scope(account_id, device_id)):
            logs.event(log, "old_password", level=logging.WARNING, account=account_id, device_id=device_id)
    except ApplianceError as error:
        logs.event(log, "old_password_not_told", level=logging.WARNING, account=account_id, error=error)


@db.transaction
def _file(notice: Notice, scope: str) -> bool:
    if throttle.is_remembered(scope, notice.now):
        return False
    throttle.remember(scope, notice.now)
    notices.file(notice)
    return True


def _about(account_id: int, device_id: str) -> str | None:
    """Return what a phone of the account calls itself; None when the account does not know it."""
    columns = (Row.friendly_name, Row.model, Row.device_type)
    row = (
        Row.select(*columns)
        .where((Row.account == account_id) & (Row.device_id == device_id))
        .tuples()
        .first()
    )
    return None if row is None else f"{next(filter(None, row), '')} {device_id}".strip()


def _scope(account_id: int, device_id: str) -> str:
    return f"told:{account_id}:{device_id}"
