"""Sync: the conversation about collections. Parse, apply what the device changed, answer what it lacks.

For each collection: which key (`sync_key`), what to apply (`sync_apply`), what to send (`collection`,
`sync_delta`). The answer of a collection is stored together with the key it hands out, before it leaves;
the request that lost it gets the same bytes again.

Source: MS-ASCMD 2.2.1.21 Sync, 3.1.5.3 Synchronizing, 3.1.5.4 (empty requests and answers).
"""

import secrets
from dataclasses import dataclass, replace

from appliance import db
from appliance.devices import devices, sync_states
from appliance.devices.sync_states import State
from appliance.eas import collection, heartbeat, sync_apply
from appliance.eas.context import Context, Waiting
from appliance.eas.heartbeat import Ended
from appliance.eas.status import ProtocolError
from appliance.eas.status import Sync as Status
from appliance.eas.sync_apply import Outcome
from appliance.eas.sync_delta import Cursor
from appliance.eas.sync_key import Verdict, judge, wire_key
from appliance.eas.sync_options import Options
from appliance.eas.sync_request import (
    CollectionRequest,
    Limits,
    OutOfLimit,
    SyncRequest,
    merge,
    parse,
    with_keys,
    without_commands,
)
from appliance.errors import Conflict, NotFound
from appliance.items.folder import Folder
from appliance.store import changes, messages
from appliance.wbxml.codec import decode, encode, encode_fragment
from appliance.wbxml.codepages import AirSync
from appliance.wbxml.element import Element, Fragment

FILTER_INCOMPLETE_TASKS = 8


@dataclass(slots=True)
class Budget:
    """What is left of one answer: items (the global WindowSize) and bytes."""

    items: int
    size_bytes: int


def handle(context: Context, request: Element | None) -> Element | Waiting | None:
    """Answer a Sync; None is the empty answer "nothing has changed"."""
    limits = Limits(
        context.world.eas.collections_per_sync_max,
        context.world.web.heartbeat_min_s,
        context.world.web.heartbeat_max_s,
    )
    try:
        asked = _complete(context, request, limits)
    except OutOfLimit as error:
        return AirSync.Sync(AirSync.Status(error.status), AirSync.Limit(error.limit))
    heartbeat.supersede(context.device.id)
    answer = _answer(context, asked)
    if answer is not None or not asked.wait_s:
        return answer
    return _wait(context, encode(asked.element), asked, limits)


def _complete(context: Context, request: Element | None, limits: Limits) -> SyncRequest:
    """Return the whole request: an empty or partial one is completed from the cached one."""
    device = context.device.id
    cached = devices.sync_request(device)
    if request is None:
        if cached is None:
            raise ProtocolError(Status.INCOMPLETE, "an empty Sync and no request to repeat")
        return _current_keys(context, parse(decode(cached), limits))
    asked = parse(request, limits)
    if asked.is_partial:
        if cached is None:
            raise ProtocolError(Status.INCOMPLETE, "a partial Sync and no request to complete it")
        given = {c.collection_id for c in asked.collections}
        whole = parse(merge(request, decode(cached)), limits)
        keyed = _current_keys(context, whole)
        asked = replace(
            whole,
            collections=tuple(
                mine if mine.collection_id in given else current
                for mine, current in zip(whole.collections, keyed.collections, strict=True)
            ),
        )
    worth_keeping = encode(without_commands(asked.element))
    if worth_keeping != cached:
        devices.remember_sync_request(device, worth_keeping)
    return asked


def _current_keys(context: Context, request: SyncRequest) -> SyncRequest:
    keys = {}
    for asked in request.collections:
        try:
            state = sync_states.load(context.device.id, sync_apply.item_id_of(asked.collection_id))
        except NotFound:
            state = None
        if state is not None:
            keys[asked.collection_id] = wire_key(state.generation, state.current)
    return with_keys(request, keys)


def _wait(context: Context, encoded: bytes, asked: SyncRequest, limits: Limits) -> Waiting:
    """Return the held answer. It keeps the encoded request only: thousands of these wait at once."""
    folders = tuple(c.collection_id for c in asked.collections)
    wait_s, recheck_s = asked.wait_s, context.world.web.recheck_interval_s
    is_keyless = context.request.body == b""
    del asked

    def look() -> Element | None:
        request = parse(decode(encoded), limits)
        return _answer(
            context, _current_keys(context, request) if is_keyless or request.is_partial else request
        )

    def resume() -> Element | None:
        found = heartbeat.hold(
            look,
            account_id=context.account.id,
            device_id=context.device.id,
            folders=folders,
            interval_s=wait_s,
            recheck_s=recheck_s,
            clock=context.world.clock,
        )
        return None if isinstance(found, Ended) else found

    return Waiting(resume)


def _answer(context: Context, request: SyncRequest) -> Element | None:
    """Return the answer, None when no collection has anything to say."""
    budget = Budget(request.window_size, context.world.eas.response_bytes_max)
    try:
        answered = [
            fragment
            for asked in request.collections
            if (fragment := _collection(context, asked, budget)) is not None
        ]
    except Conflict as error:
        raise ProtocolError(Status.RETRY, str(error)) from error
    return AirSync.Sync(AirSync.Collections(answered)) if answered else None


def _collection(context: Context, asked: CollectionRequest, budget: Budget) -> Element | Fragment | None:
    try:
        folder = collection.find(context, asked.collection_id)
    except NotFound as error:
        raise ProtocolError(Status.HIERARCHY_CHANGED, "no such collection") from error
    state = sync_states.load(context.device.id, folder.id)
    _check_options(folder, asked.options)
    match judge(state, asked.sync_key):
        case Verdict.PRIME:
            return _prime(context, folder, asked, state)
        case Verdict.ADVANCE:
            assert state is not None
            return _advance(context, folder, asked, state, budget)
        case Verdict.REPLAY:
            assert state is not None
            return _replay(context, folder, asked, state, budget)
        case _:
            return _render("0", folder, Status.INVALID_SYNC_KEY)


def _check_options(folder: Folder, options: Options | None) -> None:
    if (
        options is not None
        and options.filter_type == FILTER_INCOMPLETE_TASKS
        and folder.content_class == "Email"
    ):
        raise ProtocolError(Status.PROTOCOL_ERROR, "FilterType 8 is for tasks")


def _prime(context: Context, folder: Folder, asked: CollectionRequest, before: State | None) -> Element:
    """Begin the collection anew: a key, no items."""
    if asked.commands or asked.get_changes:
        raise ProtocolError(Status.PROTOCOL_ERROR, "key 0 takes neither GetChanges nor Commands")
    state = State(
        device=context.device.id,
        folder=folder.id,
        generation=secrets.token_hex(4),
        current=1,
        previous=None,
        cursor=Cursor.at_start(changes.latest(folder.id)).to_json(),
        options=(asked.options or Options()).to_json(),
        supported="" if asked.supported is None else encode(asked.supported).hex(),
        revision=before.revision if before is not None else 0,
    )
    sync_states.store(state, context.now)
    return _render(wire_key(state.generation, 1), folder, Status.SUCCESS)


def _replay(
    context: Context, folder: Folder, asked: CollectionRequest, state: State, budget: Budget
) -> Fragment | None:
    """Answer a device that lost our last answer: the same request gets the same bytes.

    A different request under the old key starts again from what that key stood for; its changes are
    not lost, and what it repeats of the old ones does no harm.
    """
    if state.answer is not None and state.request_digest == asked.digest:
        return Fragment(collection.AIRSYNC_PAGE, state.answer[0], state.answer[1:])
    return _advance(context, folder, asked, state, budget, from_previous=True)


def _advance(
    context: Context,
    folder: Folder,
    asked: CollectionRequest,
    state: State,
    budget: Budget,
    *,
    from_previous: bool = False,
) -> Fragment | None:
    options = asked.options or Options.from_json(state.options)
    base = state.previous_cursor if from_previous else state.cursor
    cursor = Cursor.from_json(base)
    outcomes: list[Outcome] = []
    if asked.commands:
        state, outcomes = sync_apply.apply(
            state, asked, options, modseq=cursor.modseq, account_id=context.account.id, now=context.now
        )
    with db.snapshot():
        fetched = _fetch(context, folder, outcomes, options)
        page = collection.Page(cursor)
        if asked.get_changes is not False and budget.items > 0:
            page = collection.collect(
                context,
                folder,
                cursor,
                options,
                items_max=min(asked.window_size, budget.items),
                bytes_max=budget.size_bytes,
            )
    if not (asked.commands or page.commands or from_previous):
        _remember(context, state, page.cursor, options)
        return None
    budget.items -= len(page.commands)
    budget.size_bytes = max(budget.size_bytes - page.size_bytes, 0)
    number = state.current + 1
    answer = _encoded(
        _render(
            wire_key(state.generation, number),
            folder,
            Status.SUCCESS,
            responses=sync_apply.render(outcomes, fetched),
            page=page,
        )
    )
    sync_states.store(
        replace(
            state,
            current=number,
            previous=state.previous if from_previous else state.current,
            cursor=page.cursor.to_json(),
            previous_cursor=base,
            request_digest=asked.digest,
            answer=bytes((answer.exit_page,)) + answer.data,
            options=options.to_json(),
        ),
        context.now,
    )
    return answer


def _remember(context: Context, state: State, cursor: Cursor, options: Options) -> None:
    """Keep what changed without anything to tell: new options, or a cursor past the device's own changes."""
    kept = replace(state, cursor=cursor.to_json(), options=options.to_json())
    if kept != state:
        sync_states.store(kept, context.now)


def _fetch(context: Context, folder: Folder, outcomes: list[Outcome], options: Options) -> dict[str, Element]:
    """Return ApplicationData for the items a request fetches; absent ones are left out."""
    fetched = {}
    for outcome in outcomes:
        if outcome.kind != "Fetch":
            continue
        try:
            item_id = sync_apply.item_id_of(outcome.server_id)
            message = messages.in_folder(context.account.id, folder.id, item_id)
        except NotFound:
            continue
        fetched[outcome.server_id] = collection.application_data(context, message, options, {})
    return fetched


def _render(
    key: str,
    folder: Folder,
    status: Status,
    *,
    responses: list[Element] | None = None,
    page: collection.Page | None = None,
) -> Element:
    return AirSync.Collection(
        AirSync.SyncKey(key),
        AirSync.CollectionId(str(folder.id)),
        AirSync.Status(status),
        AirSync.MoreAvailable() if page is not None and page.has_more else None,
        AirSync.Responses(responses) if responses else None,
        AirSync.Commands(page.commands) if page is not None and page.commands else None,
    )


def _encoded(element: Element) -> Fragment:
    return encode_fragment([element], collection.AIRSYNC_PAGE)
