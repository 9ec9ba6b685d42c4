"""Which deliveries are due, and what becomes of each: in order per webhook and camera, again with growing pauses.

A lane is one webhook and camera. Its oldest event goes first, and those behind it wait until it is taken or given up.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Min
from django.utils.translation import gettext_noop

from api.messages import body_of
from api.models import Delivery
from api.post import Answer, Letter, written
from api.signing import secret_of

logger = logging.getLogger(__name__)

PAUSES_S = (5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800)  # After each try; then it is given up.
GIVE_UP_AFTER = timedelta(hours=24)
MOST_AT_ONCE = 16  # Letters under way, and of these so many of one webhook.
MOST_OF_ONE = 4

NOT_ITS_OWN = gettext_noop("its user may no longer watch this camera")

State = Delivery.State


@dataclass(frozen=True, slots=True)
class Lane:
    webhook_id: int
    camera_id: int


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that is ready to be sent."""

    delivery_id: int
    lane: Lane
    letter: Letter


def due(now: datetime, busy: Collection[Lane]) -> list[Due]:
    """The heads of the lanes whose time has come, as many as may be under way beside those that are."""
    _give_up_old(now)
    room, counts = MOST_AT_ONCE - len(busy), Counter(lane.webhook_id for lane in busy)
    heads = (
        Delivery.objects.waiting()
        .filter(webhook__is_enabled=True)
        .order_by()
        .values("webhook", "event__camera")
        .annotate(event=Min("event"))
        .values_list("event", "webhook")
    )
    found: list[Due] = []
    if room <= 0 or not (keys := list(heads)):
        return found
    ready = Delivery.objects.waiting().filter(event__in={event for event, _ in keys}, next_try_at__lte=now)
    for delivery in ready.select_related("webhook__user", "event__camera").order_by("next_try_at", "pk"):
        lane = Lane(delivery.webhook_id, delivery.event.camera_id)
        is_head = (delivery.event_id, delivery.webhook_id) in keys
        if not is_head or lane in busy or counts[lane.webhook_id] >= MOST_OF_ONE or len(found) >= room:
            continue
        if not delivery.webhook.watched().filter(pk=lane.camera_id).exists():
            _end(delivery, now, State.GIVEN_UP, NOT_ITS_OWN)
            continue
        counts[lane.webhook_id] += 1
        found.append(Due(delivery.pk, lane, letter_of(delivery)))
    return found


def letter_of(delivery: Delivery) -> Letter:
    webhook, event = delivery.webhook, delivery.event
    return Letter(str(event.key), webhook.url, secret_of(webhook), written(body_of(event)))


def _give_up_old(now: datetime) -> None:
    """What waited for a day, also behind others or while its webhook was switched off, is no news any more."""
    old = Delivery.objects.waiting().filter(event__created_at__lt=now - GIVE_UP_AFTER)
    if old.exists():
        count = old.update(state=State.GIVEN_UP, done_at=now)
        logger.warning("%d events could not be delivered for a day and are given up", count)


def settle(delivery_id: int, answer: Answer, now: datetime) -> None:
    """Notes a try. A webhook that has gone meanwhile took its deliveries along."""
    delivery = Delivery.objects.waiting().filter(pk=delivery_id).first()
    if delivery is None:
        return
    delivery.tries += 1
    if answer.is_taken:
        _end(delivery, now, State.DELIVERED, answer.text)
    elif delivery.tries > len(PAUSES_S):
        logger.warning("webhook %d: event %d is given up: %s", delivery.webhook_id, delivery.event_id, answer.text)
        _end(delivery, now, State.GIVEN_UP, answer.text)
    else:
        delivery.answer = answer.text[:200]
        delivery.next_try_at = now + timedelta(seconds=PAUSES_S[delivery.tries - 1])
        delivery.save(update_fields=["tries", "answer", "next_try_at"])


def _end(delivery: Delivery, now: datetime, state: Delivery.State, answer: str) -> None:
    delivery.state, delivery.answer, delivery.done_at = state, answer[:200], now
    delivery.save(update_fields=["tries", "state", "answer", "done_at"])
