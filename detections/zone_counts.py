"""How often what happened in a camera's zones within a time, for its page and for programs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count

from cameras.models import Camera, Zone
from detections.models import ZoneEvent


@dataclass(slots=True)
class ZoneCount:
    """One area or line: visits that came in and that loitered, or ways over it in each direction."""

    zone: Zone
    entered: int = 0
    loitered: int = 0
    crossed: dict[str, int] = field(default_factory=lambda: {"in": 0, "out": 0})

    def shape(self) -> dict[str, Any]:
        """As the page draws it on the live picture."""
        return {"id": self.zone.pk, "name": self.zone.name, "kind": self.zone.kind, "points": self.zone.points}


def counts_of(camera: Camera, start: datetime, end: datetime) -> list[ZoneCount]:
    """In the order of names; empty for a camera without areas and lines, which costs one question."""
    counts = {zone.pk: ZoneCount(zone) for zone in camera.zones.exclude(kind=Zone.Kind.MASK)}
    if not counts:
        return []
    rows = ZoneEvent.objects.filter(camera=camera, at__gte=start, at__lt=end).order_by()
    for row in rows.values("zone", "kind", "direction").annotate(times=Count("pk")):
        if found := counts.get(row["zone"]):
            if row["kind"] == ZoneEvent.Kind.CROSSED:
                found.crossed[row["direction"]] = row["times"]
            else:
                setattr(found, row["kind"], row["times"])
    return list(counts.values())
