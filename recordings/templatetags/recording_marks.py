"""Which cameras are recorded while a page is written: tiles begin with it, and the live socket goes on."""

from __future__ import annotations

from typing import Any

from django import template
from django.template import Context

from cameras.models import Camera
from recordings.models import Recording

register = template.Library()
KEPT = "_omil_open_recordings"


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
