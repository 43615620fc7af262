"""The gate in front of the commands, and a device policy as the document a phone is given.

The order is that of urgency: a device that is to be wiped hears of nothing else, one that is kept out of
nothing but that, and only then comes whether its policy is up to date. By default no policy is enforced: no
request is ever refused for want of a key. A phone that asks all the same gets a document of harmless values
and a key, which every client accepts; "no policy" (Status 2) makes some of them ask for ever.

Source: MS-ASPROV 2.2.2.28 EASProvisionDoc (element order), MS-ASCMD 2.2.2 (129, 140, 142 to 144).
"""

import logging
import secrets
from datetime import timedelta

from appliance import logs
from appliance.devices import access, policies, wiping
from appliance.devices.access import Access
from appliance.devices.policies import Policy
from appliance.devices.policy_values import SETTINGS, Setting, Value
from appliance.devices.wipe import ACCOUNT_ONLY_SINCE, Scope, State
from appliance.eas.context import Command, Context
from appliance.eas.status import Common
from appliance.eas.versions import at_least
from appliance.items.device import Device
from appliance.wbxml.codepages import Provision
from appliance.wbxml.element import Element

log = logging.getLogger("appliance.devices")

TYPE = "MS-EAS-Provisioning-WBXML"
KEY_MAX = 4_294_967_295  # uint32
IN_QUARANTINE = frozenset({"Provision", "FolderSync", "Settings"})
"""What lets a device introduce itself, and be judged again."""
WIPE_TOO_OLD = "account-only wipe, which its protocol version does not know"


def gate(context: Context, command: Command) -> Common | None:
    """Return why a device may not run a command now; None when it may."""
    device = context.device
    if wiping.is_pending(device, context.now):
        return _to_be_wiped(context, command)
    if State(device.wipe_state) is State.DONE and command.name != "Provision":
        wiping.clear(device.id, context.now)  # it was wiped and is in use again
    if not device.is_judged:
        device = access.judge(device, context.now)
    if not device.is_allowed and not (device.access == Access.QUARANTINE and command.name in IN_QUARANTINE):
        return Common.DEVICE_IS_BLOCKED
    return _provisioned(context, device) if command.needs_policy else None


def _to_be_wiped(context: Context, command: Command) -> Common | None:
    """Let a device that is to be wiped hear of that and nothing else."""
    device = context.device
    if not wipe_fits(context):
        if device.is_allowed:
            access.decide(device, Access.BLOCK, reason=WIPE_TOO_OLD)
            logs.event(log, "wipe_impossible", level=logging.ERROR, version=context.version)
        return Common.DEVICE_IS_BLOCKED
    return None if command.name == "Provision" else Common.REMOTE_WIPE_REQUESTED


def wipe_fits(context: Context) -> bool:
    """Return whether the wipe that is wanted can be said in the version the device speaks now."""
    is_account_only = context.device.wipe_scope == Scope.ACCOUNT
    return not is_account_only or at_least(context.version, ACCOUNT_ONLY_SINCE)


def _provisioned(context: Context, device: Device) -> Common | None:
    """Return what a device must do about its policy first; None when nothing is enforced or all is well."""
    wanted = policies.in_force(device.account_id)
    if not wanted.is_enforced and not (context.world.eas.policy_required and not wanted.id):
        return None
    if not device.policy_key:
        return Common.DEVICE_NOT_PROVISIONED
    if context.request.policy_key != device.policy_key or device.policy_applied != wanted.revision:
        return Common.INVALID_POLICY_KEY
    since = device.policy_applied_at
    if wanted.refresh_hours and since and context.now - since >= timedelta(hours=wanted.refresh_hours):
        return Common.POLICY_REFRESH
    return None


def new_key() -> int:
    """Return a fresh policy key; never 0, which stands for none."""
    return secrets.randbelow(KEY_MAX) + 1


def document(policy: Policy = policies.NONE) -> Element:
    """Return the policy as a document with every element, for whatever has no value the default.

    So a value that is withdrawn is told; what the version of an answer does not know is left out there.
    Source: MS-ASPROV 3.2.5.1.1 (a setting that was set and no longer is).
    """
    return Provision.EASProvisionDoc(
        [_element(setting, policy.values.get(setting.name, setting.default)) for setting in SETTINGS]
    )


def _element(setting: Setting, value: Value) -> Element:
    tag = getattr(Provision, setting.name)
    if isinstance(value, tuple):
        entry = getattr(Provision, setting.entry)
        element: Element = tag([entry(each) for each in value])
    else:
        element = tag(value) if value != "" else tag()
    return element
