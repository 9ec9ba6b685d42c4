"""What visits do in zones, as events: rows that are written once, and found by their growing numbers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from uuid import uuid5

from api.collect import MOST_AT_ONCE, NAMESPACE, Draft
from api.models import EventType
from detections.models import ZoneEvent

OVERLAP = 200  # Rows looked at again: of several workers one may have taken a number and stored it later.


class Zones:
    """Remembers how far it has looked."""

    def __init__(self) -> None:
        self._seen = 0
        self._since: datetime | None = None  # Of a look back that has more rows than one look takes.

    def look(self, after: datetime) -> list[Draft]:
        after = min(after, self._since or after)
        rows = ZoneEvent.objects.filter(pk__gt=self._seen - OVERLAP, at__gte=after).select_related("camera", "zone")
        most = MOST_AT_ONCE + OVERLAP
        found = list(rows.order_by("pk")[:most])
        if found:
            self._seen = found[-1].pk
        self._since = after if len(found) == most else None
        return list(self._drafts(found))

    @staticmethod
    def _drafts(rows: list[ZoneEvent]) -> Iterator[Draft]:
        for row in rows:
            data = {"zone": row.zone.name, "kind": row.kind, "direction": row.direction, "visit": str(row.visit_id)}
            subject = uuid5(NAMESPACE, f"zone event {row.pk}")
            yield Draft(EventType(f"zone.{row.kind}"), row.camera_id, subject, row.at, data)
