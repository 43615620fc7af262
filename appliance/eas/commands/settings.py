"""Settings: what a device tells of itself, and what it may know of its user.

Properties are carried out and answered in the order they come; each answer starts with its Status.
Source: MS-ASCMD 2.2.1.18 Settings.
"""

from collections.abc import Callable, Mapping

from appliance.accounts import accounts
from appliance.devices import devices
from appliance.eas import oof
from appliance.eas.context import Context
from appliance.eas.status import ProtocolError
from appliance.eas.status import Settings as Status
from appliance.eas.versions import at_least
from appliance.eas.vocabulary import is_known
from appliance.wbxml.codepages import RightsManagement, Settings
from appliance.wbxml.element import Element, Tag

PROPERTIES_MAX = 5
PASSWORD_LENGTH_MAX = 256  # characters, MS-ASCMD 2.2.3.132.2 Password (Settings)


def handle(context: Context, request: Element | None) -> Element:
    """Answer every property asked for or set."""
    if request is None or request.tag is not Settings.Settings:
        raise ProtocolError(Status.PROTOCOL_ERROR, "not a Settings document")
    asked = request.children
    if not asked or len(asked) > PROPERTIES_MAX:
        raise ProtocolError(Status.PROTOCOL_ERROR, f"Settings has 1 to {PROPERTIES_MAX} properties")
    tags = [element.tag for element in asked]
    known = {tag for tag in _PROPERTIES if is_known(tag, context.version)}
    if not set(tags) <= known or len(set(tags)) != len(tags):
        raise ProtocolError(Status.PROTOCOL_ERROR, "an unknown property, or one of them twice")
    answers = [_PROPERTIES[element.tag](context, element) for element in asked]
    return Settings.Settings(Settings.Status(Status.SUCCESS), answers)


def device_information(context: Context, element: Element) -> Status:
    """Store a DeviceInformation element, here or inside Provision; returns its Status."""
    introduced = element.find(Settings.Set)
    if introduced is None:
        return Status.PROTOCOL_ERROR
    if len({child.tag for child in introduced}) != len(introduced.children):
        return Status.CONFLICTING_ARGUMENTS
    if introduced.text_of(Settings.EnableOutboundSMS, "0") not in ("0", "1"):
        return Status.INVALID_ARGUMENTS
    devices.remember_information(
        context.device.id, {child.tag.name: child.text for child in introduced.children}
    )
    return Status.SUCCESS


def _device_information(context: Context, element: Element) -> Element:
    return Settings.DeviceInformation(Settings.Status(device_information(context, element)))


def _user_information(context: Context, element: Element) -> Element:
    """Return the user's addresses; before 14.1 without the Accounts around them."""
    if element.find(Settings.Get) is None:
        return Settings.UserInformation(Settings.Status(Status.PROTOCOL_ERROR))
    account = context.account
    aliases = [address for address in accounts.aliases(account.id) if address != account.address]
    every = [Settings.SMTPAddress(address) for address in (account.address, *aliases)]
    addresses = Settings.EmailAddresses(
        every, Settings.PrimarySmtpAddress(account.address) if at_least(context.version, "14.1") else None
    )
    known = (
        Settings.Accounts(
            Settings.Account(
                Settings.UserDisplayName(account.display_name) if account.display_name else None, addresses
            )
        )
        if at_least(context.version, "14.1")
        else addresses
    )
    return Settings.UserInformation(Settings.Status(Status.SUCCESS), Settings.Get(known))


def _device_password(_context: Context, element: Element) -> Element:
    """Refuse to keep a recovery password, once it is one.

    Whoever can read it can open the phone; nothing here needs it, and a lost code is cured by a wipe.
    """
    asked = element.find(Settings.Set)
    password = None if asked is None else asked.text_of(Settings.Password)
    status = Status.DENIED_BY_POLICY
    if password is None:
        status = Status.PROTOCOL_ERROR
    elif len(password) > PASSWORD_LENGTH_MAX:
        status = Status.INVALID_ARGUMENTS
    return Settings.DevicePassword(Settings.Status(status))


def _rights_management(_context: Context, _element: Element) -> Element:
    """Say that there are no templates."""
    return Settings.RightsManagementInformation(
        Settings.Status(Status.SUCCESS), Settings.Get(RightsManagement.RightsManagementTemplates())
    )


_PROPERTIES: Mapping[Tag, Callable[[Context, Element], Element]] = {
    Settings.DeviceInformation: _device_information,
    Settings.UserInformation: _user_information,
    Settings.Oof: oof.answer,
    Settings.DevicePassword: _device_password,
    Settings.RightsManagementInformation: _rights_management,
}
