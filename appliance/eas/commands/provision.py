"""Provision: a phone asks for its policy, acknowledges it, or says that it has wiped itself.

Phase 1 hands out the document and a temporary key that is good for phase 2 alone; phase 2 trades it for
the permanent one. A phone that lost that answer acknowledges once more and gets the same key, so nothing has
to start over.

A device that is to be wiped is told so whatever it asks here. Its acknowledgement is read in any order: some
iOS versions put the Status before RemoteWipe instead of inside.

Deviation: a device that says it has wiped itself hears a Status alone, without the directive that MS-ASPROV
3.2.5.1.2.2 repeats: it must not begin again. A PolicyType nobody knows is named again in the answer that
refuses it, so that the device knows what was refused.

Source: MS-ASPROV 3.2.5.1 Provision Command, 2.2.2 Elements.
"""

from appliance.devices import devices, policies, wiping
from appliance.devices.wipe import Scope, State
from appliance.eas import policy
from appliance.eas.commands.settings import device_information
from appliance.eas.context import Context
from appliance.eas.status import Common, ProtocolError
from appliance.eas.status import Policy as PolicyStatus
from appliance.eas.status import Provision as Status
from appliance.eas.versions import at_least
from appliance.errors import Conflict
from appliance.wbxml.codepages import Provision, Settings
from appliance.wbxml.element import Element

APPLIED, PARTLY, NOT_APPLIED, MANAGED_ELSEWHERE = 1, 2, 3, 4
"""What a device says of a policy. Source: MS-ASPROV 2.2.2.54.2 Status (Policy) in requests."""
WIPED = 1
_DIRECTIVES = {Scope.ACCOUNT: Provision.AccountOnlyRemoteWipe, Scope.FULL: Provision.RemoteWipe}


def handle(context: Context, request: Element | None) -> Element:
    """Answer phase 1, phase 2 or the acknowledgement of a wipe; empty asks whether there is one."""
    if request is not None and request.tag is not Provision.Provision:
        raise ProtocolError(Common.INVALID_XML, "not a Provision document")
    acknowledged = None if request is None else _wipe_acknowledged(request)
    if acknowledged is not None:
        return _wiped(context, *acknowledged)
    if wiping.is_pending(context.device, context.now):
        return _directive(context, Status.SUCCESS)
    if request is None:
        raise ProtocolError(Status.PROTOCOL_ERROR, "a Provision request has Policies")
    policies_asked = request.find(Provision.Policies)
    asked = None if policies_asked is None else policies_asked.find(Provision.Policy)
    if asked is None:
        raise ProtocolError(Status.PROTOCOL_ERROR, "a Provision request has a Policy")
    kind = asked.text_of(Provision.PolicyType)
    if not kind:
        raise ProtocolError(Status.PROTOCOL_ERROR, "a Policy has a PolicyType")
    if kind != policy.TYPE:
        return _answer(None, _policy(kind, PolicyStatus.UNKNOWN_TYPE))
    if asked.find(Provision.PolicyKey) is None:
        return _offer(context, request)
    return _acknowledge(context, asked)


# --- policies -------------------------------------------------------------------------------------


def _offer(context: Context, request: Element) -> Element:
    """Phase 1. From 14.1 on the device must introduce itself here (Status 165); before, it cannot."""
    introduces = at_least(context.version, "14.1")
    introduced = request.find(Settings.DeviceInformation) if introduces else None
    if introduced is None and introduces:
        raise ProtocolError(Common.DEVICE_INFORMATION_REQUIRED, "no DeviceInformation in Provision")
    if State(context.device.wipe_state) is State.DONE:
        wiping.clear(context.device.id, context.now)
    information = None
    if introduced is not None:
        information = Settings.DeviceInformation(Settings.Status(device_information(context, introduced)))
    wanted = policies.in_force(context.account.id)
    key = policy.new_key()
    devices.offer_policy(context.device.id, key, wanted.revision)
    return _answer(
        information,
        _policy(policy.TYPE, PolicyStatus.SUCCESS, key, Provision.Data(policy.document(wanted))),
    )


def _acknowledge(context: Context, asked: Element) -> Element:
    """Phase 2: the temporary key comes back with what the device did about the policy."""
    presented = asked.int_of(Provision.PolicyKey, 0)
    did = asked.int_of(Provision.Status, 0)
    if did not in (APPLIED, PARTLY, NOT_APPLIED, MANAGED_ELSEWHERE):
        raise ProtocolError(Status.PROTOCOL_ERROR, "an acknowledgement has a Status of 1 to 4")
    device = context.device
    if presented not in (device.policy_key_pending, device.policy_key_spent) or not presented:
        return _answer(None, _policy(policy.TYPE, PolicyStatus.WRONG_KEY))
    wanted = policies.in_force(context.account.id)
    if did != APPLIED and wanted.is_enforced and not wanted.allows_partial:
        devices.refuse_policy(device.id, did)
        refusal = Common.EXTERNALLY_MANAGED if did == MANAGED_ELSEWHERE else Common.NOT_FULLY_PROVISIONABLE
        raise ProtocolError(refusal, f"the device answers the policy with {did}")
    key = devices.accept_policy(device.id, presented, policy.new_key(), did, context.now)
    if not key:
        return _answer(None, _policy(policy.TYPE, PolicyStatus.WRONG_KEY))
    return _answer(None, _policy(policy.TYPE, PolicyStatus.SUCCESS, key))


def _policy(kind: str, status: PolicyStatus, key: int | None = None, data: Element | None = None) -> Element:
    return Provision.Policy(
        Provision.PolicyType(kind),
        Provision.Status(status),
        Provision.PolicyKey(str(key)) if key is not None else None,
        data,
    )


def _answer(information: Element | None, answered: Element) -> Element:
    return Provision.Provision(information, Provision.Status(Status.SUCCESS), Provision.Policies(answered))


# --- wipe -----------------------------------------------------------------------------------------


def _wipe_acknowledged(request: Element) -> tuple[Scope, int] | None:
    """Return what the device says it has wiped and with what Status; None when it says nothing of it."""
    for scope, tag in _DIRECTIVES.items():
        found = request.find(tag)
        if found is not None:
            inside = found.int_of(Provision.Status, 0)
            return scope, inside or request.int_of(Provision.Status, 0)
    return None


def _wiped(context: Context, scope: Scope, status: int) -> Element:
    """Store what the device says it did; what it was not told counts for nothing."""
    device = context.device
    if not device.wipe_state:
        raise ProtocolError(Status.PROTOCOL_ERROR, "no wipe was asked for")
    if scope != device.wipe_scope or device.wipe_state == State.REQUESTED:
        return _directive(context, Status.PROTOCOL_ERROR)
    succeeded = status == WIPED
    try:
        wiping.acknowledge(device, scope, context.now, succeeded=succeeded)
    except Conflict as error:
        raise ProtocolError(Status.PROTOCOL_ERROR, str(error)) from error
    return (
        Provision.Provision(Provision.Status(Status.SUCCESS))
        if succeeded
        else _directive(context, Status.PROTOCOL_ERROR)
    )


def _directive(context: Context, status: Status) -> Element:
    """Tell the device to wipe; that it was told is durable first. Source: MS-ASPROV 3.2.5.1.1."""
    if not wiping.is_pending(context.device, context.now):
        return Provision.Provision(Provision.Status(status))
    scope = wiping.send(context.device.id, context.now)
    return Provision.Provision(Provision.Status(status), _DIRECTIVES[scope]())
