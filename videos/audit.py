"""Notes who looked at a video, took something of it or deleted it; called by whatever lets a user do so."""

from __future__ import annotations

from django.utils import timezone

from accounts.models import User
from recordings.audit import SAME
from videos.models import Video, VideoLook

Action = VideoLook.Action


def note(user: User, action: VideoLook.Action, video: Video, detail: str = "") -> None:
    """Names are copied, for the entry outlives user and video."""
    VideoLook.objects.create(
        user=user,
        user_name=user.get_username(),
        action=action,
        video_id=video.pk,
        title=video.title,
        unit_id=video.unit_id,
        detail=detail,
    )


def note_once(user: User, action: VideoLook.Action, video: Video, detail: str = "") -> None:
    """Once in ten minutes: a page, its pictures and the pieces of its film are one look."""
    lately = VideoLook.objects.filter(video_id=video.pk, at__gt=timezone.now() - SAME, action=action, detail=detail)
    if not lately.filter(user=user).exists():
        note(user, action, video, detail)
