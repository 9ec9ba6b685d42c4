"""Notes who looked at a profile or changed it; called by whatever shows one."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from accounts.models import User
from profiles.models import Profile, ProfileLook
from recordings.audit import SAME

Action = ProfileLook.Action


def note(
    user: User | AnonymousUser | None, action: ProfileLook.Action, profile: Profile | None = None, detail: str = ""
) -> None:
    """Without the person's name: the entry outlives them."""
    ProfileLook.objects.create(
        user=user if isinstance(user, User) else None,
        user_name=user.get_username() if user else "",
        action=action,
        profile_id=profile.pk if profile else None,
        unit_id=profile.unit_id if profile else None,
        detail=detail[:200],
    )


def note_once(user: User, action: ProfileLook.Action, detail: str) -> None:
    """Once in ten minutes: a page that is loaded again is one look."""
    lately = ProfileLook.objects.filter(at__gt=timezone.now() - SAME, user=user, action=action, detail=detail)
    if not lately.exists():
        note(user, action, detail=detail)
