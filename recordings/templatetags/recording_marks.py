"""Which cameras are recorded while a page is written: tiles begin with it, and the live socket goes on. And in which
clips a visit can be seen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import template
from django.template import Context

from cameras.models import Camera
from detections.models import Visit
from recordings.forms import LONGEST_CLIP
from recordings.models import Recording

register = template.Library()
KEPT = "_omil_open_recordings"
MOST_CLIPS = 12


@register.simple_tag(takes_context=True)
def open_recordings(context: Context, camera: Camera) -> str:
    """The ids of the camera's open clips, with a space between them; asked of the database once for all tiles."""
    request = context["request"]
    found: Any = getattr(request, KEPT, None)
    if found is None:
        rows = Recording.objects.filter(state=Recording.State.RECORDING).values_list("camera_id", "id")
        found = {}
        for camera_id, id_ in rows:
            found.setdefault(camera_id, []).append(str(id_))
        setattr(request, KEPT, found)
    return " ".join(found.get(camera.pk, []))


@dataclass(frozen=True, slots=True)
class Showing:
    """A clip that shows a visit: where it is played from the visit's beginning, or from its own."""

    start: datetime
    url: str


@register.simple_tag(takes_context=True)
def clips_of(context: Context, visit: Visit) -> list[Showing]:
    """The first ones, where it was so long."""
    clips = Recording.objects.visible_to(context["request"].user).filter(
        camera=visit.camera_id,
        start__gte=visit.first_seen - LONGEST_CLIP,
        start__lte=visit.last_seen,
        end__gte=visit.first_seen,
    )
    showings = []
    for clip in clips.order_by("start", "id")[:MOST_CLIPS]:
        at_s = max(0.0, (visit.first_seen - clip.start).total_seconds())
        showings.append(Showing(max(clip.start, visit.first_seen), f"{clip.get_absolute_url()}?t={at_s:.3f}"))
    return showings
