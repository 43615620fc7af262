"""Status values, the table from the domain's errors to them, and what they are in versions before 14.0.

Source: MS-ASCMD 2.2.2 Common Status Codes and the Status section of each command.
"""

from collections.abc import Mapping
from enum import IntEnum

from appliance.delivery.sending import SendingLimit
from appliance.errors import (
    ApplianceError,
    Conflict,
    Denied,
    NotFound,
    QuotaExceeded,
    TemporaryFailure,
    TooLarge,
)

COMMON_FIRST = 101


class Common(IntEnum):
    """Statuses any command may answer from 14.0 on; before, see `http_before_14`."""

    INVALID_CONTENT = 101
    INVALID_WBXML = 102
    INVALID_XML = 103
    INVALID_DATE_TIME = 104
    INVALID_COMBINATION = 105
    INVALID_IDS = 106
    INVALID_MIME = 107
    DEVICE_ID_MISSING_OR_INVALID = 108
    DEVICE_TYPE_MISSING_OR_INVALID = 109
    SERVER_ERROR = 110
    SERVER_ERROR_RETRY_LATER = 111
    MAILBOX_QUOTA_EXCEEDED = 113
    SEND_QUOTA_EXCEEDED = 115
    MESSAGE_PREVIOUSLY_SENT = 118
    MESSAGE_HAS_NO_RECIPIENT = 119
    MAIL_SUBMISSION_FAILED = 120
    ATTACHMENT_IS_TOO_LARGE = 122
    DEVICE_IS_BLOCKED = 129
    ACCESS_DENIED = 130
    COMMAND_NOT_SUPPORTED = 137
    VERSION_NOT_SUPPORTED = 138
    NOT_FULLY_PROVISIONABLE = 139
    REMOTE_WIPE_REQUESTED = 140
    DEVICE_NOT_PROVISIONED = 142
    POLICY_REFRESH = 143
    INVALID_POLICY_KEY = 144
    EXTERNALLY_MANAGED = 145
    NO_RECURRENCE = 146
    INVALID_STORED_REQUEST = 149
    ITEM_NOT_FOUND = 150
    TOO_MANY_FOLDERS = 151
    MOVE_NEEDS_MOVE_ALWAYS = 155
    MOVE_DESTINATION_INVALID = 156
    BODY_PART_TYPE_NOT_SUPPORTED = 164
    DEVICE_INFORMATION_REQUIRED = 165
    INVALID_ACCOUNT_ID = 166
    IRM_FEATURE_DISABLED = 168
    BODY_PART_CONVERSATION_TOO_LARGE = 176
    MAXIMUM_DEVICES_REACHED = 177
    INVALID_FORWARD_COMBINATION = 178
    INVALID_FORWARD_PARAMETERS = 179
    INVALID_RECIPIENTS = 183


class Sync(IntEnum):
    """MS-ASCMD 2.2.3.177.17 Status (Sync)."""

    SUCCESS = 1
    INVALID_SYNC_KEY = 3
    PROTOCOL_ERROR = 4
    SERVER_ERROR = 5
    CONVERSION_ERROR = 6
    CONFLICT = 7
    OBJECT_NOT_FOUND = 8
    CANNOT_COMPLETE = 9
    HIERARCHY_CHANGED = 12
    INCOMPLETE = 13
    INVALID_WAIT = 14
    TOO_MANY_COLLECTIONS = 15
    RETRY = 16


class FolderSync(IntEnum):
    """MS-ASCMD 2.2.3.177.5 Status (FolderSync)."""

    SUCCESS = 1
    SERVER_ERROR = 6
    INVALID_SYNC_KEY = 9
    MALFORMED = 10


class FolderChange(IntEnum):
    """MS-ASCMD 2.2.3.177.3, .4 and .6 Status (FolderCreate, FolderDelete, FolderUpdate)."""

    SUCCESS = 1
    NAME_EXISTS = 2  # FolderUpdate: also a special folder
    SYSTEM_FOLDER = 3
    NO_SUCH_FOLDER = 4
    NO_SUCH_PARENT = 5
    SERVER_ERROR = 6
    INVALID_SYNC_KEY = 9
    MALFORMED = 10
    UNKNOWN = 11


class Ping(IntEnum):
    """MS-ASCMD 2.2.3.177.11 Status (Ping)."""

    EXPIRED = 1
    CHANGES = 2
    MISSING_PARAMETERS = 3
    SYNTAX = 4
    HEARTBEAT_OUT_OF_RANGE = 5
    TOO_MANY_FOLDERS = 6
    HIERARCHY_CHANGED = 7
    SERVER_ERROR = 8


class MoveItems(IntEnum):
    """MS-ASCMD 2.2.3.177.10 Status (MoveItems); 3 is success."""

    INVALID_SOURCE = 1
    INVALID_DESTINATION = 2
    SUCCESS = 3
    SAME_FOLDER = 4
    FAILED = 5
    LOCKED = 7


class GetItemEstimate(IntEnum):
    """MS-ASCMD 2.2.3.177.6 Status (GetItemEstimate)."""

    SUCCESS = 1
    INVALID_COLLECTION = 2
    NOT_PRIMED = 3
    INVALID_SYNC_KEY = 4


class ItemOperations(IntEnum):
    """MS-ASCMD 2.2.3.177.8 Status (ItemOperations)."""

    SUCCESS = 1
    PROTOCOL_ERROR = 2
    SERVER_ERROR = 3
    NOT_FOUND = 6
    INVALID_RANGE = 8
    UNKNOWN_STORE = 9
    TOO_LARGE = 11
    CONVERSION_FAILED = 14
    INVALID_ATTACHMENT = 15
    ACCESS_DENIED = 16


class MeetingResponse(IntEnum):
    """MS-ASCMD 2.2.3.177.9 Status (MeetingResponse)."""

    SUCCESS = 1
    INVALID_REQUEST = 2
    MAILBOX_ERROR = 3
    SERVER_ERROR = 4


class SearchStore(IntEnum):
    """MS-ASCMD 2.2.3.177.14 Status (Search), of the Store element; the command's own is 1."""

    SUCCESS = 1
    INVALID_REQUEST = 2
    SERVER_ERROR = 3
    TOO_COMPLEX = 8
    FOLDER_SYNC_REQUIRED = 11
    OUT_OF_RANGE = 12
    ACCESS_BLOCKED = 13


class Find(IntEnum):
    """MS-ASCMD 2.2.3.177.2 Status (Find), of the Find element."""

    SUCCESS = 1
    INVALID_REQUEST = 2
    FOLDER_SYNC_REQUIRED = 3


class FindResponse(IntEnum):
    """MS-ASCMD 2.2.3.177.2 Status (Find), of the Response element."""

    SUCCESS = 1
    INVALID_REQUEST = 2
    RANGE_NOT_FROM_ZERO = 4


class Picture(IntEnum):
    """MS-ASCMD 2.2.3.177.14 Status (Search), of gal:Picture."""

    SUCCESS = 1
    NO_PICTURE = 173
    TOO_LARGE = 174
    LIMIT_REACHED = 175


class Provision(IntEnum):
    """MS-ASCMD 2.2.3.177.12 Status (Provision), outside Policy."""

    SUCCESS = 1
    PROTOCOL_ERROR = 2
    SERVER_ERROR = 3


class Policy(IntEnum):
    """MS-ASPROV 2.2.2.54.2 Status (Policy) in answers."""

    SUCCESS = 1
    NO_POLICY = 2
    UNKNOWN_TYPE = 3
    CORRUPT = 4
    WRONG_KEY = 5


class Settings(IntEnum):
    """MS-ASCMD 2.2.3.177.15 Status (Settings)."""

    SUCCESS = 1
    PROTOCOL_ERROR = 2
    ACCESS_DENIED = 3
    SERVER_UNAVAILABLE = 4
    INVALID_ARGUMENTS = 5
    CONFLICTING_ARGUMENTS = 6
    DENIED_BY_POLICY = 7


class ProtocolError(ApplianceError):
    """A request breaks the protocol; `status` is the answer, global to the command that raised it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = int(status)


_COMMON_FOR: tuple[tuple[type[ApplianceError], Common], ...] = (
    (QuotaExceeded, Common.MAILBOX_QUOTA_EXCEEDED),
    (SendingLimit, Common.SEND_QUOTA_EXCEEDED),
    (TooLarge, Common.ATTACHMENT_IS_TOO_LARGE),
    (NotFound, Common.ITEM_NOT_FOUND),
    (Denied, Common.ACCESS_DENIED),
    (Conflict, Common.SERVER_ERROR_RETRY_LATER),
    (TemporaryFailure, Common.SERVER_ERROR_RETRY_LATER),
)


def common_for(error: Exception) -> Common:
    """Return the common Status for an error no command translated itself; unknown ones are temporary.

    Never guesses "permanent": a phone that is told so throws the user's work away.
    """
    for kind, status in _COMMON_FOR:
        if isinstance(error, kind):
            return status
    return Common.SERVER_ERROR_RETRY_LATER


OK_HTTP, RETRY_AFTER_PROVISION = 200, 449

# Statuses whose number says nothing here (116, 119, 150, ...) are faults of a request that would fail
# again: 500, as Exchange answers them.
_HTTP_BEFORE_14: Mapping[int, int] = {
    **dict.fromkeys(range(101, 110), 400),
    110: 500,
    111: 503,
    112: 403,
    113: 507,
    114: 503,
    Common.MESSAGE_PREVIOUSLY_SENT: OK_HTTP,  # done is done; these versions have no word for it
    Common.MESSAGE_HAS_NO_RECIPIENT: 400,
    Common.ATTACHMENT_IS_TOO_LARGE: 413,
    124: 401,
    **dict.fromkeys((123, 125, 126, 127, 128, 129, 130, 131, 132, 133, 134, 135, 136), 403),
    Common.COMMAND_NOT_SUPPORTED: 501,
    Common.VERSION_NOT_SUPPORTED: 400,
    139: 403,
    **dict.fromkeys((140, 141, 142, 143, 144), RETRY_AFTER_PROVISION),
    145: 403,
    147: 400,
    Common.MAXIMUM_DEVICES_REACHED: 403,
}
_WIPE_PENDING = 140


def http_before_14(status: int, command: str, *, has_policy_key: bool) -> int | None:
    """Return the HTTP status that versions before 14.0 get for a common Status; None for any other Status.

    Source: MS-ASCMD 2.2.2 Common Status Codes, the sentences about 2.5, 12.0 and 12.1.
    """
    if status < COMMON_FIRST:
        return None
    if (status, command) in ((106, "SendMail"), (132, "Provision")):
        return 500
    if status == _WIPE_PENDING and not has_policy_key:
        return 403
    return _HTTP_BEFORE_14.get(status, 500)
