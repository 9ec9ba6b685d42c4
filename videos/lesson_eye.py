"""Looks at learners' pictures, one after the other in a thread of its own: this process also receives the cameras."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
from numpy.typing import NDArray

from videos import lesson_frames
from videos.lesson_frames import BadPicture

IMAGE_SIZE = 416

Seen = tuple[NDArray[np.float32] | None, tuple[int, int]]


@cache
def worker() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="lessons")


async def is_ready() -> bool:
    """Whether there is a model; loads it the first time."""
    return await asyncio.get_running_loop().run_in_executor(worker(), _warm_up)


async def look(jpeg: bytes) -> Seen:
    """The points (17, 3) of the person who takes the most room, None without one, and the picture's size. Raises
    BadPicture."""
    return await asyncio.get_running_loop().run_in_executor(worker(), _look, jpeg)


def _warm_up() -> bool:
    from detections.pose import get_pose_finder

    return get_pose_finder() is not None


def _look(jpeg: bytes) -> Seen:
    from cameras import images
    from detections.pose import get_pose_finder

    try:
        size_wh = images.size_of(jpeg, max_pixels=lesson_frames.MOST_PIXELS)
        frame_bgr = images.decode_bgr(jpeg)
    except images.BadImage as bad:
        raise BadPicture(bad.reason) from None
    finder = get_pose_finder()
    poses = finder.find(frame_bgr, size=IMAGE_SIZE) if finder else []
    if not poses:
        return None, size_wh
    sides = np.array([pose.xyxy[2:] - pose.xyxy[:2] for pose in poses])
    return poses[int(sides.prod(axis=1).argmax())].points, size_wh
