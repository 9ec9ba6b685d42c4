"""Changes a camera's zones: in one transaction, and with every change of its masks one more version of them.

Whoever writes rows of Zone does it inside `changing`; the admin's page is one, and others may follow.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Literal

from django.db import transaction

from accounts.notices import rights_changed
from cameras import drawn, live, masking
from cameras.models import Camera, Zone
from cameras.zones import BadZone, Drawn, parse

logger = logging.getLogger(__name__)


@contextmanager
def changing(camera_id: int) -> Iterator[Camera]:
    """The camera, locked. Where its masks are others afterwards, all who need to know are told on commit."""
    with transaction.atomic():
        camera = Camera.objects.select_for_update().get(pk=camera_id)
        before = _masks_of(camera)
        yield camera
        if _masks_of(camera) != before:
            camera.mask_version += 1
            camera.save(update_fields=["mask_version"])
            transaction.on_commit(lambda: _tell(camera_id))
            rights_changed(camera_id=camera_id)  # Open capture pages get their masks where they prove their rights.

        transaction.on_commit(lambda: _tell_analysis(camera_id))


def _masks_of(camera: Camera) -> Counter[str]:
    return Counter(str(points) for points in camera.zones.filter(kind=Zone.Kind.MASK).values_list("points", flat=True))


def _tell(camera_id: int) -> None:
    live.forget(camera_id)
    camera = Camera.objects.filter(pk=camera_id).first()
    if camera is None:
        return
    try:
        masking.write(camera_id, camera.masks())
    except OSError as error:  # The clock writes them, where this process cannot.
        logger.warning("camera %d: its masks could not be written: %s", camera_id, error)


def _tell_analysis(camera_id: int) -> None:
    try:
        drawn.write(camera_id, drawn_of([camera_id]).get(camera_id, []))
    except OSError as error:
        logger.warning("camera %d: its zones could not be written: %s", camera_id, error)


def drawn_of(camera_ids: Iterable[int] | None = None) -> dict[int, list[Drawn]]:
    """The areas and lines of these cameras, or of all; one that is none is left out."""
    rows = Zone.objects.exclude(kind=Zone.Kind.MASK)
    found: dict[int, list[Drawn]] = {}
    for zone in rows if camera_ids is None else rows.filter(camera__in=list(camera_ids)):
        is_line = zone.kind == Zone.Kind.LINE
        try:
            points = parse(zone.points, is_line=is_line)
        except BadZone as bad:
            logger.error("camera %d: zone %d is none (%s)", zone.camera_id, zone.pk, bad.reason)
            continue
        kind: Literal["area", "line"] = "line" if is_line else "area"
        found.setdefault(zone.camera_id, []).append(Drawn(zone.pk, zone.name, kind, points, zone.loiter_s))
    return found
