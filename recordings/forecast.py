"""How long the space for clips suffices at the pace of the last week; shown on the clips' admin page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db.models import Count, Min, Q, Sum

from recordings import storage
from recordings.models import Recording

WEEK = timedelta(days=7)
LEAST = timedelta(hours=1)  # Less says nothing about a day.


@dataclass(frozen=True, slots=True)
class Forecast:
    """`days_left` until the oldest clips must go for want of space; None while nothing was recorded. `days_held` is how
    far back clips will reach once they must."""

    clips: int
    used_bytes: int
    kept_bytes: int
    room_bytes: int
    bytes_per_day: float
    days_left: float | None
    days_held: float | None

    @property
    def is_short(self) -> bool:
        """Whether clips will have to go before their age is up."""
        return self.days_held is not None and self.days_held < settings.RECORDINGS_DAYS


def forecast(now: datetime) -> Forecast:
    recent = Q(start__gte=now - WEEK)
    sums = Recording.objects.aggregate(
        clips=Count("pk"),
        used=Sum("size", default=0),
        kept=Sum("size", filter=Q(is_kept=True), default=0),
        recent=Sum("size", filter=recent, default=0),
        since=Min("start", filter=recent),
    )
    free = max(0, storage.state().free_bytes - settings.RECORDINGS_FREE_BYTES)
    room = max(0, min(settings.RECORDINGS_BYTES - sums["used"], free))
    span = min(WEEK, max(LEAST, now - (sums["since"] or now)))
    pace = sums["recent"] / (span / timedelta(days=1))
    return Forecast(
        clips=sums["clips"],
        used_bytes=sums["used"],
        kept_bytes=sums["kept"],
        room_bytes=room,
        bytes_per_day=pace,
        days_left=room / pace if pace else None,
        days_held=(room + sums["used"] - sums["kept"]) / pace if pace else None,
    )


def current() -> Forecast:
    return forecast(datetime.now(UTC))
