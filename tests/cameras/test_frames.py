from __future__ import annotations

import math

import pytest

from cameras import frames
from cameras.frames import BadFrame

STREAM = "ab" * 16


def parse(message: bytes) -> frames.Frame:
    return frames.parse(message, camera_id=7, stream=STREAM, received_at=100.0, max_bytes=50)


def test_a_header_and_a_picture_become_a_frame() -> None:
    frame = parse(frames.header(42, 99.5) + b"picture")
    assert frame == frames.Frame(7, STREAM, 42, 99.5, 100.0, b"picture")


@pytest.mark.parametrize(
    ("message", "reason", "seq"),
    [
        (b"", "short_header", None),
        (frames.header(1, 99.5)[:15], "short_header", None),
        (frames.HEADER.pack(2, 0, 0, 5, 99.5) + b"x", "wrong_version", 5),
        (frames.HEADER.pack(1, 1, 0, 5, 99.5) + b"x", "wrong_codec", 5),
        (frames.header(5, 99.5) + b"x" * 51, "too_large", 5),
        (frames.header(5, 99.5), "empty_message", 5),
    ],
)
def test_a_message_that_is_no_frame_says_why(message: bytes, reason: str, seq: int | None) -> None:
    with pytest.raises(BadFrame) as bad:
        parse(message)
    assert (bad.value.reason, bad.value.seq) == (reason, seq)


@pytest.mark.parametrize(
    ("captured_at", "reason"),
    [
        (100.0, None),
        (40.0, None),  # Exactly as old as allowed.
        (102.0, None),  # Exactly as far ahead as allowed.
        (39.9, "too_old"),
        (102.1, "too_new"),
        (math.nan, "too_old"),
        (math.inf, "too_new"),
        (-math.inf, "too_old"),
    ],
)
def test_a_capture_time_outside_the_window_is_refused(captured_at: float, reason: str | None) -> None:
    assert frames.check_time(captured_at, 100.0, max_age_s=60, max_ahead_s=2) == reason
