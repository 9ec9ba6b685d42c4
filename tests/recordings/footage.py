"""Clips for the tests of the pages: small finished films with rows, with what lies beside them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from django.conf import settings

from cameras import images
from cameras.models import Camera
from recordings.models import Recording

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
TICKS = 90_000
MakeClip = Callable[..., Recording]


def write_film(path: Path, times: Sequence[float], *, size: tuple[int, int] = (160, 96), key_s: float = 2.0) -> None:
    """An MP4 as the media workers finish it: true times, no B-frames, moov first. Each frame has its own brightness."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as output:
        stream = output.add_stream("libx264", rate=30, options={"preset": "ultrafast", "bf": "0", "crf": "20"})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICKS)
        key_at = -key_s
        for number, at in enumerate(times):
            frame = av.VideoFrame.from_ndarray(picture(number, size), "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = round((at - times[0]) * TICKS), Fraction(1, TICKS)
            if at - key_at >= key_s:
                frame.pict_type, key_at = av.video.frame.PictureType.I, at
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def picture(number: int, size: tuple[int, int]) -> Any:
    """Brighter with every frame, and never black."""
    width, height = size
    frame = np.full((height, width, 3), 60 + (number * 7) % 180, np.uint8)
    frame[:, : width // 4] = (200, 120, 40)
    return frame


def make_clip(
    camera: Camera,
    start: datetime = NOON,
    times: Sequence[float] | None = None,
    *,
    size: tuple[int, int] = (160, 96),
    **changes: Any,
) -> Recording:
    """A clip that is ready, with its film, poster and filmstrip; ten seconds at five pictures a second."""
    times = [number / 5 for number in range(51)] if times is None else times
    values: dict[str, Any] = {
        "camera": camera,
        "state": Recording.State.READY,
        "start": start,
        "end": start + timedelta(seconds=times[-1] - times[0]),
        "max_people": 1,
        "frames": len(times),
        "width": size[0],
        "height": size[1],
    }
    clip = Recording(**{**values, **changes})
    clip.path = f"{camera.pk}/{start:%Y/%m/%d/%H%M%SZ}-{clip.pk}.mp4"
    path = Path(settings.RECORDINGS_DIR) / clip.path
    write_film(path, times, size=size)
    path.with_suffix(".jpg").write_bytes(images.encode_jpeg(np.full((90, 160, 3), 120, np.uint8)))
    path.with_suffix(".strip.jpg").write_bytes(images.encode_jpeg(np.full((96, 1600, 3), 90, np.uint8)))
    clip.size, clip.sha256 = path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()
    clip.save()
    return clip
