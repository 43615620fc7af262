"""One request through the gate to its command: version, device, policy, body, answer.

Every fault of a request or of ours becomes the answer the protocol has for it, one log line and one
count; a traceback goes to the log and never to the phone.

Source: MS-ASCMD 2.2.2 Common Status Codes (14.0 and later: HTTP 200 and a Status in the command's root
element).
"""

import logging
from collections.abc import Callable
from dataclasses import replace

from appliance import logs
from appliance.devices import devices
from appliance.devices.devices import Contact
from appliance.eas import policy, versions
from appliance.eas.commands import COMMANDS, Command
from appliance.eas.context import Answer, Context, Waiting, World
from appliance.eas.request import Request
from appliance.eas.response import Held, Response
from appliance.eas.status import Common, ProtocolError, common_for
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

_WBXML_TYPES = ("application/vnd.ms-sync.wbxml", "application/vnd.ms-sync", "")


def handle(request: Request, account: Account, world: World) -> Response | Held:
    """Answer one ActiveSync command. Needs `db.connection()`; a Held answer opens its own."""
    command = COMMANDS.get(request.command)
    if not versions.is_offered(request.version):
        return _refuse(request, 505 if request.version else 400, "version")
    if command is None:
        return _refuse(request, 501, "command")
    contact = Contact(request.device_id, request.device_type, request.user_agent, request.version)
    with logs.bind(account=account.id, command=request.command):
        try:
            device = devices.meet(account.id, contact, world.clock.now(), devices_max=world.devices_max)
        except QuotaExceeded as error:
            return _fault(request, command, Common.MAXIMUM_DEVICES_REACHED, error, logging.WARNING)
    context = Context(account, device, replace(request, body=b""), world)
    with logs.bind(account=account.id, device=device.id, command=request.command):
        return _guarded(context, command, lambda: _run(context, command, request))


def _run(context: Context, command: Command, request: Request) -> Answer:
    refusal = policy.gate(context, command)
    if refusal is not None:
        raise ProtocolError(refusal, refusal.name.lower())
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
        answer = act()
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


def _finished(context: Context, answer: Element | Response | None) -> Response:
    response = answer if isinstance(answer, Response) else Response(body=encode(answer) if answer else b"")
    _count(context.request, "ok")
    logs.event(log, "answered", version=context.version, size=len(response.body))
    return response


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
    return Response(body=encode(command.fault(int(status))))


def _refuse(request: Request, status: int, reason: str) -> Response:
    known = request.command if request.command in COMMANDS else "unknown"
    REQUESTS.labels(known, "other", f"http_{status}").inc()
    logs.event(log, "refused", command=request.command, version=request.version, http=status, reason=reason)
    return Response(status=status)


def _count(request: Request, outcome: str) -> None:
    REQUESTS.labels(request.command, request.version, outcome).inc()
