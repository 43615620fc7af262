"""Device policies: who must be provisioned, and the document a phone is given.

The default enforces nothing: no request is ever refused for want of a policy key. A phone that asks
all the same gets a document of harmless values and a key, which every client accepts; "no policy"
(Status 2) makes some of them ask for ever.

Source: MS-ASPROV 2.2.2.29 EASProvisionDoc (element order), MS-ASCMD 2.2.2 (142 to 144).
"""

import secrets

from appliance.eas.context import Command, Context
from appliance.eas.status import Common
from appliance.wbxml.codepages import Provision
from appliance.wbxml.element import Element

TYPE = "MS-EAS-Provisioning-WBXML"
KEY_MAX = 4_294_967_295  # uint32


def gate(context: Context, command: Command) -> Common | None:
    """Return why a device may not run a command now; None when it may."""
    device = context.device
    if not device.is_allowed:
        return Common.DEVICE_IS_BLOCKED
    if not command.needs_policy or not context.world.eas.policy_required:
        return None
    if not device.policy_key:
        return Common.DEVICE_NOT_PROVISIONED
    if context.request.policy_key != device.policy_key:
        return Common.INVALID_POLICY_KEY
    return None


def new_key() -> int:
    """Return a fresh policy key; never 0, which stands for none."""
    return secrets.randbelow(KEY_MAX) + 1


def document() -> Element:
    """Return the policy that asks nothing of a device.

    MaxDevicePasswordFailedAttempts is left empty: a value makes phones erase themselves.
    """
    doc = Provision
    return doc.EASProvisionDoc(
        doc.DevicePasswordEnabled(0),
        doc.AlphanumericDevicePasswordRequired(0),
        doc.PasswordRecoveryEnabled(0),
        doc.RequireStorageCardEncryption(0),
        doc.AttachmentsEnabled(1),
        doc.MinDevicePasswordLength(),
        doc.MaxInactivityTimeDeviceLock(),
        doc.MaxDevicePasswordFailedAttempts(),
        doc.MaxAttachmentSize(),
        doc.AllowSimpleDevicePassword(1),
        doc.DevicePasswordExpiration(),
        doc.DevicePasswordHistory(0),
        doc.AllowStorageCard(1),
        doc.AllowCamera(1),
        doc.RequireDeviceEncryption(0),
        doc.MaxCalendarAgeFilter(0),
        doc.AllowHTMLEmail(1),
        doc.MaxEmailAgeFilter(0),
        doc.MaxEmailBodyTruncationSize(-1),
        doc.MaxEmailHTMLBodyTruncationSize(-1),
        doc.RequireSignedSMIMEMessages(0),
        doc.RequireEncryptedSMIMEMessages(0),
        doc.AllowSMIMESoftCerts(1),
    )
