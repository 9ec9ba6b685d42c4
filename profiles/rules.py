"""Whether faces may be recognised: nowhere, until an admin switches it on for a camera or for a unit's uploads."""

from __future__ import annotations

from profiles.models import FaceRules, UnitFaces


def allows_faces(unit_id: int) -> bool:
    """In videos that the unit's users upload. Asked at the upload, and again before each analysis."""
    return UnitFaces.objects.filter(unit_id=unit_id).exists()


def is_on(camera_id: int) -> bool:
    return FaceRules.objects.filter(camera_id=camera_id, is_on=True).exists()
