"""The query of an ActiveSync request in its two forms, plain and base64. Pure.

iPhones use the plain form; the base64 form is what Outlook and many Android clients send, and it
carries the version, the policy key and the multipart wish that otherwise travel in headers.
Source: MS-ASHTTP 2.2.1.1.1 Request Line (plain text and base64 encoding).
"""

import base64
import struct
from collections.abc import Mapping
from urllib.parse import urlencode

from appliance.phone.identity import Identity

COMMAND_CODES: dict[str, int] = {
    "Sync": 0,
    "SendMail": 1,
    "SmartForward": 2,
    "SmartReply": 3,
    "GetAttachment": 4,
    "FolderSync": 9,
    "FolderCreate": 10,
    "FolderDelete": 11,
    "FolderUpdate": 12,
    "MoveItems": 13,
    "GetItemEstimate": 14,
    "MeetingResponse": 15,
    "Search": 16,
    "Settings": 17,
    "Ping": 18,
    "ItemOperations": 19,
    "Provision": 20,
    "ResolveRecipients": 21,
    "ValidateCert": 22,
    "Find": 23,
}

PARAMETER_TAGS: dict[str, int] = {
    "AttachmentName": 0,
    "CollectionId": 1,
    "ItemId": 3,
    "LongId": 4,
    "Occurrence": 6,
    "User": 8,
}
OPTIONS_TAG = 7
OPTION_SAVE_IN_SENT = 0x01
OPTION_ACCEPT_MULTIPART = 0x02


def plain(command: str, user: str, identity: Identity, parameters: Mapping[str, str]) -> str:
    """Return `Cmd=…&User=…&DeviceId=…&DeviceType=…` and the command's parameters."""
    fields = {
        "User": user,
        "DeviceId": identity.device_id,
        "DeviceType": identity.device_type,
        "Cmd": command,
    }
    return urlencode(fields | dict(parameters))


def base64_form(
    command: str,
    user: str,
    identity: Identity,
    parameters: Mapping[str, str],
    *,
    version: str,
    policy_key: int | None,
    accept_multipart: bool = False,
) -> str:
    """Return the base64 form. Raises KeyError for a command without a code, ValueError for long values.

    policy_key: None writes a length of zero, which is how a phone without one says so. user: "" leaves
    it out.
    """
    key = b"" if policy_key is None else struct.pack("<I", policy_key)
    head = struct.pack("<BBH", int(version.replace(".", "")), COMMAND_CODES[command], identity.locale_id)
    fields = [_counted(identity.device_id.encode()), _counted(key), _counted(identity.device_type.encode())]
    options = OPTION_ACCEPT_MULTIPART if accept_multipart else 0
    for name, value in ({**parameters, "User": user} if user else parameters).items():
        if name == "SaveInSent":
            options |= OPTION_SAVE_IN_SENT if value == "T" else 0
        else:
            fields.append(bytes((PARAMETER_TAGS[name],)) + _counted(value.encode()))
    if options:
        fields.append(bytes((OPTIONS_TAG,)) + _counted(bytes((options,))))
    return base64.b64encode(head + b"".join(fields)).decode("ascii")


def _counted(value: bytes) -> bytes:
    """Return the value behind its length in one byte."""
    if len(value) > 255:
        raise ValueError(f"a field of {len(value)} bytes does not fit the base64 query")
    return bytes((len(value),)) + value
