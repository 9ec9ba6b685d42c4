"""Notes who did what with a clip; called by whatever lets a user see, take, keep or remove one."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser

from accounts.models import User
from cameras.models import Camera
from recordings.models import AuditEntry, Recording

Action = AuditEntry.Action


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
