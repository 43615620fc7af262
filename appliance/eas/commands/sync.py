"""Sync: the conversation about collections. Parse, apply what the device changed, answer what it lacks.

For each collection: which key (`sync_key`), what to apply (`sync_apply`), what to send (`collection`,
`sync_delta`). The answer of a collection is stored together with the key it hands out, before it leaves;
the request that lost it gets the same bytes again.

Source: MS-ASCMD 2.2.1.21 Sync, 3.1.5.3 Synchronizing, 3.1.5.4 (empty requests and answers).
"""

import secrets
from dataclasses import dataclass, replace

from appliance import db
from appliance.devices import sync_states
from appliance.devices.sync_states import State
from appliance.eas import collection, heartbeat, sync_apply, sync_cache, tracing
from appliance.eas.context import Context, Waiting
from appliance.eas.drafts import Writer
from appliance.eas.heartbeat import Ended
from appliance.eas.ids import RECIPIENT_CACHE
from appliance.eas.status import ProtocolError
from appliance.eas.status import Sync as Status
from appliance.eas.sync_apply import Outcome
from appliance.eas.sync_delta import Cursor
from appliance.eas.sync_key import Verdict, judge, wire_key
from appliance.eas.sync_options import Options
from appliance.eas.sync_request import CollectionRequest, Limits, OutOfLimit, SyncRequest, parse
from appliance.eas.versions import is_early
from appliance.errors import Conflict, NotFound
from appliance.items.folder import Folder, FolderType
from appliance.store import changes, messages
from appliance.store.changes import Forgotten
from appliance.wbxml.codec import decode, encode, encode_fragment
from appliance.wbxml.codepages import AirSync
from appliance.wbxml.element import Element, Fragment


@dataclass(slots=True)
class Budget:
    """What is left of one answer: items (the global WindowSize) and bytes.

    The item that uses up the bytes is still sent, whatever its size, or it never would be; nothing comes
    after it.
    """

    items: int
    size_bytes: int

    @property
    def is_spent(self) -> bool:
        """Whether nothing more fits."""
        return self.items <= 0 or self.size_bytes <= 0


def handle(context: Context, request: Element | None) -> Element | Waiting | None:
    """Answer a Sync; None is the empty answer "nothing has changed"."""
    limits = Limits(
        context.world.eas.collections_per_sync_max,
        context.world.web.heartbeat_min_s,
        context.world.web.heartbeat_max_s,
        context.world.eas.window_size_max,
        context.version,
    )
    try:
        asked = sync_cache.complete(context, request, limits)
    except OutOfLimit as error:
        return AirSync.Sync(AirSync.Status(error.status), AirSync.Limit(error.limit))
    heartbeat.supersede(context.device.id)
    answer = _answer(context, asked)
    if answer is None or asked.wait_s or len(asked.collections) > 1:
        sync_cache.remember(context, asked)
    return answer if answer is not None or not asked.wait_s else _wait(context, asked, limits)


def _wait(context: Context, asked: SyncRequest, limits: Limits) -> Waiting:
    """Return the held answer. It keeps the encoded request only: thousands of these wait at once."""
    encoded = encode(asked.element)
    folders = tuple(c.collection_id for c in asked.collections)
    wait_s, recheck_s = asked.wait_s, context.world.web.recheck_interval_s

    def look() -> Element | None:
        with db.snapshot():
            news = collection.news(context, folders)
        if len(news) == len(folders) and not any(news.values()):
            return None
        return _answer(context, parse(decode(encoded), limits))

    def resume() -> Element | None:
        found = heartbeat.hold(
            look,
            account_id=context.account.id,
            device_id=context.device.id,
            folders=folders,
            interval_s=heartbeat.shortened(context, wait_s),
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
            if (fragment := tracing.synced(context, asked, _collection(context, asked, budget))) is not None
        ]
    except Conflict as error:
        raise ProtocolError(Status.RETRY, str(error)) from error
    except NotFound as error:
        raise ProtocolError(Status.HIERARCHY_CHANGED, str(error)) from error
    return AirSync.Sync(AirSync.Collections(answered)) if answered else None


def _collection(context: Context, asked: CollectionRequest, budget: Budget) -> Element | Fragment | None:
    if asked.collection_id == RECIPIENT_CACHE and any(each.tag is AirSync.Add for each in asked.commands):
        raise ProtocolError(Status.PROTOCOL_ERROR, "nothing is added to the recipient information cache")
    folder = collection.find(context, asked.collection_id)
    state = sync_states.load(context.device.id, folder.id)
    _check_options(folder, asked)
    verdict = judge(state, asked.sync_key)
    if verdict is Verdict.PRIME:
        return _prime(context, folder, asked, state)
    try:
        if verdict is Verdict.ADVANCE and state is not None:
            return _advance(context, folder, asked, state, budget)
        if verdict is Verdict.REPLAY and state is not None:
            return _replay(context, folder, asked, state, budget)
    except Forgotten:
        pass  # it was away for too long; what it had changed itself is applied
    return _render(context, "0", folder, Status.INVALID_SYNC_KEY)


def _check_options(folder: Folder, asked: CollectionRequest) -> None:
    if asked.conversation_mode is not None and folder.content_class != "Email":
        raise ProtocolError(Status.PROTOCOL_ERROR, "ConversationMode is for mail")
    if asked.supported is not None and folder.content_class == "Notes":
        raise ProtocolError(Status.PROTOCOL_ERROR, "notes have no properties to be left out")
    if asked.options is not None and not asked.options.filters(folder.content_class):
        raise ProtocolError(Status.PROTOCOL_ERROR, "a FilterType the class does not have")


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
    sync_states.store(state, context.now, answer=sync_states.NO_ANSWER)
    return _render(context, wire_key(state.generation, 1), folder, Status.SUCCESS)


def _replay(
    context: Context, folder: Folder, asked: CollectionRequest, state: State, budget: Budget
) -> Fragment | None:
    """Answer a device that lost our last answer: the same request gets the same bytes.

    A different request under the old key starts again from what that key stood for; its changes are
    not lost, and what it repeats of the old ones does no harm.
    """
    if state.request_digest == asked.digest:
        answer = sync_states.answer(state)
        budget.size_bytes -= len(answer)
        return Fragment(collection.AIRSYNC_PAGE, answer[0], answer[1:])
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
    options = replace(options, conversation_mode=bool(asked.conversation_mode))
    base = state.previous_cursor if from_previous else state.cursor
    cursor = Cursor.from_json(base)
    outcomes: list[Outcome] = []
    if asked.commands:
        state, outcomes = sync_apply.apply(
            state,
            asked,
            options,
            modseq=cursor.modseq,
            writer=_writer(context),
            is_drafts_folder=folder.type == FolderType.DRAFTS,
        )
    with db.snapshot():
        responses = [_response(context, folder, outcome, options, budget) for outcome in outcomes]
        page = collection.Page(cursor)
        if asked.get_changes is not False and not budget.is_spent:
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
    budget.size_bytes -= page.size_bytes
    number = state.current + 1
    answer = encode_fragment(
        [_render(context, wire_key(state.generation, number), folder, Status.SUCCESS, responses, page)],
        collection.AIRSYNC_PAGE,
    )
    sync_states.store(
        replace(
            state,
            current=number,
            previous=state.previous if from_previous else state.current,
            cursor=page.cursor.to_json(),
            previous_cursor=base,
            request_digest=asked.digest,
            options=options.to_json(),
        ),
        context.now,
        answer=bytes((answer.exit_page,)) + answer.data,
    )
    return answer


def _writer(context: Context) -> Writer:
    return Writer(context.account, context.device.id, context.version, context.world.hostname(), context.now)


def _remember(context: Context, state: State, cursor: Cursor, options: Options) -> None:
    """Keep what changed without anything to tell: new options, or a cursor past the device's own changes."""
    kept = replace(state, cursor=cursor.to_json(), options=options.to_json())
    if kept != state:
        sync_states.store(kept, context.now)


def _response(
    context: Context, folder: Folder, outcome: Outcome, options: Options, budget: Budget
) -> Element:
    """Return what a command of the device is answered; a Fetch brings the item, as long as it fits."""
    if outcome.kind != "Fetch":
        return sync_apply.response(outcome, sync_apply.draft_data(context.account.id, outcome))
    if budget.size_bytes <= 0:
        return sync_apply.response(replace(outcome, status=Status.SERVER_ERROR))  # ask again, alone
    try:
        item_id = sync_apply.item_id_of(outcome.server_id)
        message = messages.in_folder(context.account.id, folder.id, item_id)
    except NotFound:
        return sync_apply.response(replace(outcome, status=Status.OBJECT_NOT_FOUND))
    element = collection.application_data(context, message, options, {})
    data = encode_fragment([element], collection.AIRSYNC_PAGE)
    budget.size_bytes -= len(data.data)
    return sync_apply.response(outcome, data)


def _render(
    context: Context,
    key: str,
    folder: Folder,
    status: Status,
    responses: list[Element] | None = None,
    page: collection.Page | None = None,
) -> Element:
    # Up to 12.1 a collection says its class first. Source: MS-ASCMD 2.2.3.27.6 Class (Sync).
    return AirSync.Collection(
        AirSync.Class(folder.content_class) if is_early(context.version) and folder.content_class else None,
        AirSync.SyncKey(key),
        AirSync.CollectionId(str(folder.id)),
        AirSync.Status(status),
        AirSync.MoreAvailable() if page is not None and page.has_more else None,
        AirSync.Responses(responses) if responses else None,
        AirSync.Commands(page.commands) if page is not None and page.commands else None,
    )
