"""One request through the gate to its command: version, device, policy, body, answer.

Every fault of a request or of ours becomes the answer the protocol version has for it, one log line and one
count; a traceback goes to the log and never to the phone.

A device is told once when the versions offered have changed since it was last told (X-MS-RP): it then
starts over with the best one both know. Every FolderSync from key 0 is told as well.

Source: MS-ASCMD 2.2.2 Common Status Codes (14.0 and later: HTTP 200 and a Status in the command's root
element; before: an HTTP status), MS-ASHTTP 2.2.2.1.2 Response Headers, 3.2.5.1 Handling HTTP Requests.
"""

import logging
from collections.abc import Callable
from dataclasses import replace

from appliance import logs
from appliance.devices import devices
from appliance.devices.devices import Contact
from appliance.eas import early_compose, policy, tracing, versions, vocabulary
from appliance.eas.commands import COMMANDS, EARLY_COMMANDS, Command, autodiscover
from appliance.eas.context import Answer, Beginning, Context, Waiting, World
from appliance.eas.request import AUTODISCOVER, Request
from appliance.eas.response import Held, Response
from appliance.eas.status import Common, ProtocolError, common_for, http_before_14
from appliance.errors import ApplianceError, QuotaExceeded
from appliance.items.account import Account
from appliance.metrics import counter
from appliance.wbxml.codec import WbxmlError, decode, encode
from appliance.wbxml.element import Element, ElementError

log = logging.getLogger("appliance.eas")
REQUESTS = counter(
    "appliance_eas_requests_total",
    "ActiveSync requests by command, protocol version and outcome.",
    ["command", "version", "outcome"],
)

RETRY_AFTER_S = 60
BAD_REQUEST, NOT_IMPLEMENTED, UNAVAILABLE, VERSION_NOT_SUPPORTED = 400, 501, 503, 505

_MAY_BE_EMPTY = frozenset({"Sync", "Ping", "Provision", *EARLY_COMMANDS})
"""Commands for which no body is a request, too; without one, the others are not even asked."""

_WBXML_TYPES = ("application/vnd.ms-sync.wbxml", "application/vnd.ms-sync", "")


def handle(request: Request, account: Account, world: World) -> Response | Held:
    """Answer one ActiveSync command. Needs `db.connection()`; a Held answer opens its own."""
    if request.command == AUTODISCOVER:
        return autodiscover.answer(request, account, world)
    offered = versions.in_order(world.eas.versions)
    command = COMMANDS.get(request.command) or EARLY_COMMANDS.get(request.command)
    if request.version not in offered:
        return _version_refused(request, command, offered)
    if command is None or (command.name in EARLY_COMMANDS and not versions.is_early(request.version)):
        return _refuse(request, NOT_IMPLEMENTED, "command")
    if not (request.device_id and request.device_type):
        return _nameless(request, command)
    contact = Contact(
        request.device_id, request.device_type, request.user_agent, request.version, ",".join(offered)
    )
    with logs.bind(account=account.id, command=request.command):
        try:
            device = devices.meet(account.id, contact, world.clock.now(), devices_max=world.devices_max)
        except QuotaExceeded as error:
            return _fault(request, command, Common.MAXIMUM_DEVICES_REACHED, error, logging.WARNING)
    wait_s = world.rate.wait_s(device.id) if world.rate is not None else 0
    if world.health is not None and not wait_s:
        wait_s = world.health.pause_s(device.id, command.name, world.clock.now())
    if wait_s:
        return _throttled(request, device.id, wait_s)
    context = Context(account, device, replace(request, body=b""), world)
    with logs.bind(account=account.id, device=device.id, command=request.command):
        return _guarded(context, command, lambda: _run(context, command, request))


def _run(context: Context, command: Command, request: Request) -> Answer:
    refusal = policy.gate(context, command)
    if refusal is not None:
        raise ProtocolError(refusal, refusal.name.lower())
    if not versions.has_command(context.version, command.name):
        raise ProtocolError(Common.VERSION_NOT_SUPPORTED, f"no {command.name} in {context.version}")
    if versions.is_early(context.version) and command.name in early_compose.ROOTS:
        return command.handler(context, early_compose.document(request, context.device.id, context.now))
    if not request.body and command.name not in _MAY_BE_EMPTY:
        raise ProtocolError(Common.INVALID_CONTENT, "no body")
    return command.handler(context, _body(request))


def _body(request: Request) -> Element | None:
    if not request.body:
        return None
    if request.content_type not in _WBXML_TYPES:
        raise ProtocolError(Common.INVALID_CONTENT, f"content type {request.content_type}")
    try:
        return decode(request.body)
    except WbxmlError as error:
        raise ProtocolError(Common.INVALID_WBXML, str(error)) from error


def _guarded(context: Context, command: Command, act: Callable[[], Answer]) -> Response | Held:
    """Run a command, or the rest of a held one, and turn whatever happens into an answer."""
    request = context.request
    try:
        answer = tracing.observed(context, command.name, act)
        if isinstance(answer, Waiting):
            return _held(context, command, answer)
        return _finished(context, answer)
    except ProtocolError as error:
        return _fault(request, command, error.status, error, logging.INFO)
    except ElementError as error:
        return _fault(request, command, Common.INVALID_XML, error, logging.INFO)
    except ApplianceError as error:
        return _fault(request, command, common_for(error), error, logging.WARNING)
    except Exception as error:  # noqa: BLE001 - the top of a request: answered, logged, counted
        return _fault(request, command, Common.SERVER_ERROR_RETRY_LATER, error, logging.ERROR)


def _held(context: Context, command: Command, waiting: Waiting) -> Held:
    def resume() -> Response:
        with logs.bind(account=context.account.id, device=context.device.id, command=command.name):
            answer = _guarded(context, command, waiting.resume)
        assert isinstance(answer, Response), "a wait cannot end in another wait"
        return answer

    return Held(resume)


def _finished(context: Context, answer: Element | Beginning | Response | None) -> Response:
    is_beginning = isinstance(answer, Beginning)
    document = answer.element if isinstance(answer, Beginning) else answer
    if isinstance(document, Element):
        document = Response(body=encode(vocabulary.of_version(document, context.version)))
    response = document or Response()
    if _is_news(context) or is_beginning:
        offered = versions.in_order(context.world.eas.versions)
        told = ("X-MS-RP", ",".join(offered))
        response = replace(response, headers=(*response.headers, told, *_offer(offered)))
    _count(context.request, "ok")
    logs.event(log, "answered", version=context.version, size=len(response.body))
    return response


def _is_news(context: Context) -> bool:
    """Return whether the device is to be told, now and by this answer, that other versions are offered.

    A device of which it is not known what it was offered is not bothered.
    """
    offered = ",".join(versions.in_order(context.world.eas.versions))
    before = context.device.offered_versions
    return before != offered and devices.remember_offer(context.device.id, offered) and bool(before)


def _offer(offered: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    return (
        ("MS-ASProtocolVersions", ",".join(offered)),
        ("MS-ASProtocolCommands", ",".join(versions.commands(offered))),
    )


def _fault(request: Request, command: Command, status: int, error: Exception, level: int) -> Response:
    _count(request, f"status_{int(status)}")
    logs.event(
        log,
        "refused",
        level=level,
        version=request.version,
        status=int(status),
        reason=str(error) if level < logging.ERROR else type(error).__name__,
        exc_info=level >= logging.ERROR,
    )
    if not versions.is_early(request.version):
        return Response(body=encode(command.fault(int(status))))
    http = http_before_14(int(status), command.name, has_policy_key=request.policy_key is not None)
    if http is None:
        return Response(body=encode(command.fault(int(status))))
    wait = (("Retry-After", str(RETRY_AFTER_S)),) if http == UNAVAILABLE else ()
    return Response(status=http, headers=wait)


def _version_refused(request: Request, command: Command | None, offered: tuple[str, ...]) -> Response:
    """Refuse a version that is not offered, in words a device of that version knows, and say which are.

    Source: MS-ASCMD 2.2.2 Common Status Codes, 138.
    """
    is_later = request.version in versions.OFFERED and not versions.is_early(request.version)
    if is_later and command is not None and command.name in COMMANDS:
        _count(request, f"status_{int(Common.VERSION_NOT_SUPPORTED)}")
        return Response(body=encode(command.fault(Common.VERSION_NOT_SUPPORTED)), headers=_offer(offered))
    status = VERSION_NOT_SUPPORTED if request.version else BAD_REQUEST
    return replace(_refuse(request, status, "version"), headers=_offer(offered))


def _nameless(request: Request, command: Command) -> Response:
    """Refuse a device that does not say which one it is."""
    status = (
        Common.DEVICE_TYPE_MISSING_OR_INVALID if request.device_id else Common.DEVICE_ID_MISSING_OR_INVALID
    )
    return _fault(request, command, status, ProtocolError(status, status.name.lower()), logging.INFO)


def _throttled(request: Request, device: int, wait_s: int) -> Response:
    """Send a device away that asks too often. Source: MS-ASHTTP 2.2.2.1.2.13 X-MS-ASThrottle."""
    _count(request, f"http_{UNAVAILABLE}")
    logs.event(log, "throttled", level=logging.WARNING, device=device, wait_s=wait_s)
    headers = (("Retry-After", str(wait_s)), ("X-MS-ASThrottle", "CommandFrequency"))
    return Response(status=UNAVAILABLE, headers=headers)


def _refuse(request: Request, status: int, reason: str) -> Response:
    known = request.command if request.command in (*COMMANDS, *EARLY_COMMANDS) else "unknown"
    REQUESTS.labels(known, "other", f"http_{status}").inc()
    logs.event(log, "refused", command=request.command, version=request.version, http=status, reason=reason)
    return Response(status=status)


def _count(request: Request, outcome: str) -> None:
    REQUESTS.labels(request.command, request.version, outcome).inc()
