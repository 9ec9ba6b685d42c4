"""Events as they happen, for programs that keep a connection; those that cannot are told by webhook."""

from __future__ import annotations

from typing import Annotated, Any

from asgiref.sync import sync_to_async
from django.db import close_old_connections
from django.http.response import HttpResponseBase
from ninja import Header, Query, Router, Schema
from pydantic import Field

from api import stream
from api.access import READ, Request, needs
from api.messages import EventOut, Type
from api.paging import Slug
from api.problems import Problem, Refusal
from api.stream import MOST_OF_ONE, MOST_STREAMS, EventResponse, Reader

router = Router(tags=["events"])
MOST_NAMED = 200


class EventFilter(Schema):
    """Which events; none named: all that the caller may see."""

    type: list[Type] = Field([], max_length=20)
    camera: list[Slug] = Field([], max_length=MOST_NAMED, description="Short names of cameras.")
    follow: bool = Field(True, description="false: end when everything there is has been told.")


@router.get(
    "/events",
    auth=needs(READ),
    response={200: EventOut, 503: Problem},
    operation_id="streamEvents",
    url_name="events",
    openapi_extra={"x-stream": True},
)
async def stream_events(
    request: Request,
    wanted: Query[EventFilter],
    last_event_id: Annotated[str, Header(alias="Last-Event-ID", max_length=100)] = "",
) -> HttpResponseBase:
    """A stream of server-sent events, each with the event's type as its name, its id, and its body as JSON.

    With the header Last-Event-ID it goes on behind that event; where that is too long ago an event `reset` comes first.
    It ends with an event `end` when the session or token does.
    """
    feed = stream.feed()
    if feed.open[request.auth.user.pk] >= MOST_OF_ONE:
        raise Refusal(429, f"At most {MOST_OF_ONE} streams of one user.")
    if feed.open.total() >= MOST_STREAMS:
        raise Refusal(503, "As many streams are open as may be.")
    await sync_to_async(close_old_connections)()  # Else this one's stays open for as long as the stream.
    return EventResponse(await stream.in_thread(_reader, request, wanted, last_event_id))


def _reader(request: Request, wanted: EventFilter, last_event_id: str) -> Reader:
    place = stream.place_of(last_event_id) if last_event_id else stream.head()
    scope: Any = getattr(request, "scope", {})
    return Reader(
        scope=scope,
        caller=request.auth,
        types=frozenset(wanted.type),
        cameras=frozenset(wanted.camera),
        seq=stream.head() if place is None else place,
        is_lost=place is None,
        is_following=wanted.follow,
    )
