"""Policies and wipes: the two-phase handshake and what a phone does when it is told to forget.

Source: MS-ASPROV 3.1.5.1 Provision Command; MS-ASHTTP 3.1.5.2.2 for HTTP 449.
"""

from appliance.phone import documents
from appliance.phone.errors import HttpError, PhoneError, ProtocolError, StatusError, Wiped
from appliance.phone.mailbox import Value, plain
from appliance.phone.session import NO_POLICY_KEY, Session
from appliance.wbxml.codepages import Provision
from appliance.wbxml.element import Element

HTTP_RETRY_AFTER_PROVISION = 449
WIPE_PENDING = 140
NEEDS_PROVISION = {141, 142, 143, 144, 145}
OK, NO_POLICY = 1, 2
APPLIED = 1
DEVICE_INFORMATION_SINCE = 141
ACCOUNT_WIPE_SINCE = 161


def is_asked_for(error: PhoneError) -> bool:
    """Tell whether an error means: run Provision, then repeat the command."""
    if isinstance(error, HttpError):
        return error.status == HTTP_RETRY_AFTER_PROVISION
    return isinstance(error, StatusError) and error.status in NEEDS_PROVISION | {WIPE_PENDING}


def run(session: Session) -> dict[str, Value]:
    """Do both phases, keep the permanent policy key in the session and return the policies by name.

    A server without policies for this phone leaves the key at 0 and the result empty. Raises Wiped
    after confirming a wipe, StatusError, ProtocolError.
    """
    session.policy_key = NO_POLICY_KEY
    identity = session.identity if session.version_number >= DEVICE_INFORMATION_SINCE else None
    answer = _exchange(session, documents.provision(identity))
    _obey_wipe(session, answer)
    policy = _policy(answer)
    status = policy.int_of(Provision.Status, 0)
    if status == NO_POLICY:
        return {}
    if status != OK:
        raise StatusError("Provision", status, "policy")
    policies = _policies(policy)
    session.policy_key = _key(policy)
    final = _exchange(session, documents.provision_acknowledge(session.policy_key, APPLIED))
    _obey_wipe(session, final)
    policy = _policy(final)
    if policy.int_of(Provision.Status, 0) != OK:
        raise StatusError("Provision", policy.int_of(Provision.Status, 0), "acknowledgement")
    session.policy_key = _key(policy)
    return policies


def _exchange(session: Session, document: Element) -> Element:
    answer = session.command("Provision", document).document
    if answer is None:
        raise ProtocolError("Provision: empty answer")
    status = answer.int_of(Provision.Status, 0)
    if status != OK:
        raise StatusError("Provision", status)
    return answer


def _policy(answer: Element) -> Element:
    policies = answer.find(Provision.Policies)
    policy = policies.find(Provision.Policy) if policies else None
    if policy is None:
        raise ProtocolError("Provision: no Policy in the answer")
    if policy.text_of(Provision.PolicyType, "") != documents.POLICY_TYPE:
        raise ProtocolError("Provision: a policy of another type than asked for")
    return policy


def _policies(policy: Element) -> dict[str, Value]:
    """Return the settings of the EASProvisionDoc by name."""
    data = policy.find(Provision.Data)
    document = data.find(Provision.EASProvisionDoc) if data else None
    if document is None:
        raise ProtocolError("Provision: a policy without EASProvisionDoc")
    return {child.tag.name: plain(child) for child in document}


def _key(policy: Element) -> str:
    """Return the policy key, a decimal number of 32 bits that is not 0 (which phones take for none)."""
    key = policy.text_of(Provision.PolicyKey, "")
    if not key.isdecimal() or not 0 < int(key) < 2**32:
        raise ProtocolError("Provision: the policy key is not a number from 1 to 4294967295")
    return key


def _obey_wipe(session: Session, answer: Element) -> None:
    """Confirm a wipe the answer orders, then raise Wiped."""
    account_only = answer.find(Provision.AccountOnlyRemoteWipe) is not None
    if account_only and session.version_number < ACCOUNT_WIPE_SINCE:
        raise ProtocolError(f"Provision: AccountOnlyRemoteWipe in version {session.version}")
    if account_only or answer.find(Provision.RemoteWipe) is not None:
        session.command("Provision", documents.wipe_done(account_only))
        session.policy_key = NO_POLICY_KEY
        raise Wiped(account_only)
