"""Provision: a phone asks for its policy, and acknowledges it.

Phase 1 hands out the document and a temporary key that is good for phase 2 alone; phase 2 trades it for
the permanent one. A lost answer of phase 2 is repaired by starting over, so an acknowledgement of a
spent key is answered with Status 5 and the phone asks again.

Source: MS-ASPROV 3.2.5.1 Provision Command, 2.2.2 Elements.
"""

from appliance.devices import devices
from appliance.eas import policy
from appliance.eas.commands.settings import device_information
from appliance.eas.context import Context
from appliance.eas.status import Common, ProtocolError
from appliance.eas.status import Policy as PolicyStatus
from appliance.eas.status import Provision as Status
from appliance.wbxml.codepages import Provision, Settings
from appliance.wbxml.element import Element


def handle(context: Context, request: Element | None) -> Element:
    """Answer phase 1 or phase 2; an empty request asks whether a wipe is pending."""
    if request is None:
        raise ProtocolError(Status.PROTOCOL_ERROR, "a Provision request has Policies")
    if request.tag is not Provision.Provision:
        raise ProtocolError(Common.INVALID_XML, "not a Provision document")
    policies = request.find(Provision.Policies)
    asked = None if policies is None else policies.find(Provision.Policy)
    if asked is None:
        raise ProtocolError(Status.PROTOCOL_ERROR, "a Provision request has a Policy")
    if asked.text_of(Provision.PolicyType) != policy.TYPE:
        return _answer(None, _policy(asked.text_of(Provision.PolicyType), PolicyStatus.UNKNOWN_TYPE))
    if asked.find(Provision.PolicyKey) is None:
        return _offer(context, request)
    return _acknowledge(context, asked)


def _offer(context: Context, request: Element) -> Element:
    """Phase 1. From 14.1 on the device must introduce itself here (Status 165)."""
    introduced = request.find(Settings.DeviceInformation)
    if introduced is None:
        raise ProtocolError(Common.DEVICE_INFORMATION_REQUIRED, "no DeviceInformation in Provision")
    status = device_information(context, introduced)
    key = policy.new_key()
    devices.offer_policy(context.device.id, key)
    return _answer(
        Settings.DeviceInformation(Settings.Status(status)),
        _policy(policy.TYPE, PolicyStatus.SUCCESS, key, Provision.Data(policy.document())),
    )


def _acknowledge(context: Context, asked: Element) -> Element:
    """Phase 2: the temporary key comes back with what the device did about the policy."""
    presented = asked.int_of(Provision.PolicyKey, 0)
    device = context.device
    if not device.policy_key_pending or presented != device.policy_key_pending:
        return _answer(None, _policy(policy.TYPE, PolicyStatus.WRONG_KEY))
    key = policy.new_key()
    devices.accept_policy(device.id, key)
    return _answer(None, _policy(policy.TYPE, PolicyStatus.SUCCESS, key))


def _policy(
    kind: str | None, status: PolicyStatus, key: int | None = None, data: Element | None = None
) -> Element:
    return Provision.Policy(
        Provision.PolicyType(kind or policy.TYPE),
        Provision.Status(status),
        Provision.PolicyKey(str(key)) if key is not None else None,
        data,
    )


def _answer(information: Element | None, answered: Element) -> Element:
    return Provision.Provision(information, Provision.Status(Status.SUCCESS), Provision.Policies(answered))
