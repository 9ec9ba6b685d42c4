"""Notes who did what with a clip; called by whatever lets a user see, take, keep or remove one."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from accounts.models import User
from cameras.models import Camera
from recordings.models import AuditEntry, Recording

Action = AuditEntry.Action
SAME = timedelta(minutes=10)


def note(
    user: User | AnonymousUser,
    action: AuditEntry.Action,
    recording: Recording | None = None,
    camera: Camera | None = None,
    detail: str = "",
) -> AuditEntry:
    """Names are copied, for the entry outlives user, clip and camera."""
    camera = camera or (recording.camera if recording else None)
    return AuditEntry.objects.create(
        user=user if isinstance(user, User) else None,
        user_name=user.get_username(),
        action=action,
        recording_id=recording.pk if recording else None,
        camera=camera,
        camera_name=camera.name if camera else "",
        detail=detail[: AuditEntry._meta.get_field("detail").max_length],
    )


def note_once(
    user: User,
    action: AuditEntry.Action,
    recording: Recording | None = None,
    camera: Camera | None = None,
    detail: str = "",
) -> None:
    """Once in ten minutes: a player, and a download that breaks off, ask for a film many times and in any order."""
    lately = AuditEntry.objects.filter(at__gt=timezone.now() - SAME, user=user, action=action, detail=detail)
    if not lately.filter(recording_id=recording.pk if recording else None).exists():
        note(user, action, recording, camera, detail)
