"""The values a device policy can have: element, kind, default, since when. Pure data and one check.

In the order of the schema, which is the order on the wire. The default is what asks nothing of a phone; a
value that is withdrawn goes back to it and is still sent, because a phone keeps what it is not told anew.

Source: MS-ASPROV 2.2.2.28 EASProvisionDoc and the sections of its children; the 12.0 elements come first.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from appliance.errors import InvalidInput

type Value = int | str | tuple[str, ...]
"""A number, "" for the empty tag ("no limit"), or the entries of a list."""

LIST_LENGTH_MAX = 100
ENTRY_LENGTH_MAX = 256


@dataclass(frozen=True, slots=True)
class Setting:
    """One element. `low` and `high` bound its number; `empty` says whether it may be an empty tag."""

    name: str
    default: Value
    low: int = 0
    high: int = 1
    empty: bool = False
    choices: tuple[int, ...] = ()
    entry: str = ""  # the element of each entry, of the two lists


UINT_MAX = 4_294_967_295


def _flag(name: str, default: int) -> Setting:
    return Setting(name, default)


def _limit(name: str, low: int, high: int) -> Setting:
    return Setting(name, "", low, high, empty=True)


SETTINGS: tuple[Setting, ...] = (
    _flag("DevicePasswordEnabled", 0),
    _flag("AlphanumericDevicePasswordRequired", 0),
    _flag("PasswordRecoveryEnabled", 0),
    _flag("RequireStorageCardEncryption", 0),
    _flag("AttachmentsEnabled", 1),
    _limit("MinDevicePasswordLength", 1, 16),
    _limit("MaxInactivityTimeDeviceLock", 1, UINT_MAX),
    _limit("MaxDevicePasswordFailedAttempts", 4, 16),  # a value makes phones erase themselves
    _limit("MaxAttachmentSize", 0, UINT_MAX),
    _flag("AllowSimpleDevicePassword", 1),
    _limit("DevicePasswordExpiration", 0, UINT_MAX),
    Setting("DevicePasswordHistory", 0, 0, 50),
    _flag("AllowStorageCard", 1),
    _flag("AllowCamera", 1),
    _flag("RequireDeviceEncryption", 0),
    _flag("AllowUnsignedApplications", 1),
    _flag("AllowUnsignedInstallationPackages", 1),
    Setting("MinDevicePasswordComplexCharacters", 1, 1, 4),
    _flag("AllowWiFi", 1),
    _flag("AllowTextMessaging", 1),
    _flag("AllowPOPIMAPEmail", 1),
    Setting("AllowBluetooth", 2, 0, 2),
    _flag("AllowIrDA", 1),
    _flag("RequireManualSyncWhenRoaming", 0),
    _flag("AllowDesktopSync", 1),
    Setting("MaxCalendarAgeFilter", 0, 0, 7, choices=(0, 4, 5, 6, 7)),
    _flag("AllowHTMLEmail", 1),
    Setting("MaxEmailAgeFilter", 0, 0, 5),
    Setting("MaxEmailBodyTruncationSize", -1, -1, 2_147_483_647),
    Setting("MaxEmailHTMLBodyTruncationSize", -1, -1, 2_147_483_647),
    _flag("RequireSignedSMIMEMessages", 0),
    _flag("RequireEncryptedSMIMEMessages", 0),
    Setting("RequireSignedSMIMEAlgorithm", 0, 0, 1),
    Setting("RequireEncryptionSMIMEAlgorithm", 0, 0, 4),
    Setting("AllowSMIMEEncryptionAlgorithmNegotiation", 2, 0, 2),
    _flag("AllowSMIMESoftCerts", 1),
    _flag("AllowBrowser", 1),
    _flag("AllowConsumerEmail", 1),
    _flag("AllowRemoteDesktop", 1),
    _flag("AllowInternetSharing", 1),
    Setting("UnapprovedInROMApplicationList", (), entry="ApplicationName"),
    Setting("ApprovedApplicationList", (), entry="Hash"),
)
EARLY_COUNT = 12
"""How many of them 12.0 has; what of the rest a version knows is the code page's business."""

BY_NAME: Mapping[str, Setting] = {setting.name: setting for setting in SETTINGS}


def validated(values: Mapping[str, object]) -> dict[str, Value]:
    """Return the values that differ from the defaults, checked; raises InvalidInput.

    A number may come as text, "" empties a limit or withdraws any other value, a list may come as one
    text with commas.
    """
    checked: dict[str, Value] = {}
    for name, value in values.items():
        setting = BY_NAME.get(name)
        if setting is None:
            raise InvalidInput(f"{name} is no policy value; see MS-ASPROV EASProvisionDoc")
        found = _entries(setting, value) if setting.entry else _number(setting, value)
        if found != setting.default:
            checked[name] = found
    if checked.get("AlphanumericDevicePasswordRequired") and not checked.get("DevicePasswordEnabled"):
        raise InvalidInput("AlphanumericDevicePasswordRequired needs DevicePasswordEnabled=1")
    return checked


def _number(setting: Setting, value: object) -> Value:
    text = str(value).strip()
    if text == "":
        return setting.default
    if not text.removeprefix("-").isascii() or not text.removeprefix("-").isdigit():
        raise InvalidInput(f"{setting.name} is a number, not {text[:40]!r}")
    if len(text) > len(str(UINT_MAX)) or not setting.low <= int(text) <= setting.high:
        raise InvalidInput(f"{setting.name} is {setting.low} to {setting.high}{_or_empty(setting)}")
    if setting.choices and int(text) not in setting.choices:
        raise InvalidInput(f"{setting.name} is one of {', '.join(map(str, setting.choices))}")
    return int(text)


def _or_empty(setting: Setting) -> str:
    return ", or empty for none" if setting.empty else ""


def _entries(setting: Setting, value: object) -> Value:
    given = value.split(",") if isinstance(value, str) else value
    if not isinstance(given, (list, tuple)):
        raise InvalidInput(f"{setting.name} is a list")
    entries = tuple(text for each in given if (text := str(each).strip()))
    if len(entries) > LIST_LENGTH_MAX or any(
        len(entry) > ENTRY_LENGTH_MAX or not entry.isprintable() for entry in entries
    ):
        raise InvalidInput(
            f"{setting.name} has at most {LIST_LENGTH_MAX} entries of {ENTRY_LENGTH_MAX} characters"
        )
    return entries
