"""Finds what has happened and is not in the outbox yet, by looking; nothing below knows that anybody is told.

Every look goes back further than the last one, for rows come late: analysis may catch up, a clip be finished after its
storage was away. An event's key derives from what it is about, so that nothing is told twice. One process collects.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from django.conf import settings
from django.db import models, transaction
from django.db.models import Exists, Max, OuterRef

from api.models import Delivery, Event, EventType, Watermark, Webhook
from api.schemas import RecordingOut, VisitOut
from detections.models import Visit
from recordings.models import Recording

logger = logging.getLogger(__name__)

NAMESPACE = UUID("6f6d696c-0000-5000-8000-6576656e7473")
SHALLOW, DEEP = timedelta(hours=1), timedelta(days=7)
MOST_AT_ONCE = 500  # Of a kind; the next look takes the rest.
MOST_WAITING = 10_000  # Deliveries of one webhook.


@dataclass(frozen=True, slots=True)
class Draft:
    """An event that may be new."""

    type: EventType
    camera_id: int
    subject: UUID
    at: datetime
    data: dict[str, Any]

    @property
    def key(self) -> UUID:
        return uuid5(NAMESPACE, f"{self.type} {self.subject}")


def since(now: datetime, *, is_deep: bool) -> datetime:
    """How far back to look: never before collecting began, nor where told events may have been forgotten."""
    mark, _made = Watermark.objects.get_or_create(pk=1, defaults={"since": now})
    kept = timedelta(days=settings.KEEP_DAYS) - timedelta(hours=1)
    return max(mark.since, now - min(DEEP if is_deep else SHALLOW, kept))


def look(after: datetime) -> list[Draft]:
    """What lies in the tables since then and has not been told; a few queries, along their indexes."""
    return [draft for source in (_started, _ended, _ready) for draft in source(after)]


def _untold(rows: models.QuerySet[Any], type_: EventType, order: str) -> Iterable[Any]:
    told = Event.objects.filter(type=type_, subject=OuterRef("pk"))
    return rows.exclude(Exists(told)).select_related("camera").order_by(order, "pk")[:MOST_AT_ONCE]


def _started(after: datetime) -> Iterator[Draft]:
    for visit in _untold(Visit.objects.filter(first_seen__gte=after), EventType.VISIT_STARTED, "first_seen"):
        yield _of_visit(visit, EventType.VISIT_STARTED, visit.first_seen)


def _ended(after: datetime) -> Iterator[Draft]:
    ended = Visit.objects.filter(last_seen__gte=after, state=Visit.State.ENDED)
    for visit in _untold(ended, EventType.VISIT_ENDED, "last_seen"):
        yield _of_visit(visit, EventType.VISIT_ENDED, visit.ended_at or visit.last_seen)


def _of_visit(visit: Visit, type_: EventType, at: datetime) -> Draft:
    return Draft(type_, visit.camera_id, visit.pk, at, VisitOut.of(visit).model_dump(mode="json"))


def _ready(after: datetime) -> Iterator[Draft]:
    ready = Recording.objects.filter(end__gte=after, state=Recording.State.READY)
    for clip in _untold(ready, EventType.RECORDING_READY, "end"):
        data = RecordingOut.of(clip).model_dump(mode="json")
        yield Draft(EventType.RECORDING_READY, clip.camera_id, clip.pk, clip.end, data)


# --- Storing ---


def store(drafts: list[Draft], now: datetime) -> int:
    """Events and the deliveries to whoever wants them, together: a kill leaves both or neither. Returns how many."""
    known = set(Event.objects.filter(key__in=[draft.key for draft in drafts]).values_list("key", flat=True))
    new = [draft for draft in drafts if draft.key not in known]
    return _store(new, now) if new else 0


@transaction.atomic
def _store(drafts: list[Draft], now: datetime) -> int:
    last = Event.objects.aggregate(seq=Max("seq"))["seq"] or 0
    rows = [
        Event(
            key=draft.key,
            type=draft.type,
            camera_id=draft.camera_id,
            subject=draft.subject,
            at=draft.at,
            created_at=now,
            data=draft.data,
        )
        for draft in sorted(drafts, key=lambda draft: draft.at)
    ]
    Event.objects.bulk_create(rows, ignore_conflicts=True, batch_size=100)
    fresh = list(Event.objects.filter(seq__gt=last, key__in=[row.key for row in rows]).order_by("seq"))
    deliveries = [
        Delivery(webhook=webhook, event=event, next_try_at=now)
        for webhook in Webhook.objects.filter(is_enabled=True)
        for event in wanted(webhook, fresh)
    ]
    Delivery.objects.bulk_create(deliveries, ignore_conflicts=True, batch_size=100)
    return len(fresh)


def wanted(webhook: Webhook, events: list[Event]) -> list[Event]:
    """Those of its types and cameras; none while too many wait already, which the log then says."""
    watched = set(webhook.watched().values_list("pk", flat=True)) if events else set()
    found = [
        event for event in events if event.camera_id in watched and (not webhook.events or event.type in webhook.events)
    ]
    if found and webhook.deliveries.filter(state=Delivery.State.WAITING).count() > MOST_WAITING:
        logger.warning("webhook %d: %d events are left out, for too many wait", webhook.pk, len(found))
        return []
    return found


def forget(now: datetime) -> int:
    """Removes events, and with them their deliveries, that have had their time."""
    old = Event.objects.filter(created_at__lt=now - timedelta(days=settings.KEEP_DAYS))
    count = 0
    while keys := list(old.values_list("pk", flat=True)[:1_000]):
        Event.objects.filter(pk__in=keys).delete()
        count += len(keys)
    return count
