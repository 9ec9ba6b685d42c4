"""Who was seen where, for the pages of videos and visits."""

from __future__ import annotations

from uuid import UUID

from profiles.models import Appearance, Profile


def in_video(video_id: UUID) -> dict[int, Profile]:
    """By the tracks of people in that video; two queries' worth of rows at most, whoever is in it."""
    found = Appearance.objects.filter(video=video_id, profile__isnull=False).select_related("profile")
    return {track: one.profile for one in found for track in one.tracks if one.profile}
