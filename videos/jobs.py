"""RQ entry points of the media workers: `analyse` takes a video as far as it goes, `copy` makes a playable one."""

from __future__ import annotations

from uuid import UUID

from django.db import close_old_connections


def analyse(video_id: str) -> None:
    """Goes on with the analysis, unless another process is at it or it is over."""
    from videos import turn

    close_old_connections()
    turn.take(UUID(video_id))


def copy(video_id: str) -> None:
    """Has the H.264 copy made, unless another process is at it or there is one. Returns at once: clips do not wait."""
    from videos import playable

    playable.begin(UUID(video_id))
