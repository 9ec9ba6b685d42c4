"""Black and covered pictures are told from real ones, and a camera that was covered and is not any more."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cameras import images
from cameras.obscured import LEAST_SHARE, Obscured, structured_share
from tests.source import read_clip

SIZE_WH = (1280, 720)
RANDOM = np.random.default_rng(1)


def luma(brightness: NDArray[np.floating]) -> NDArray[np.uint8]:
    grey = np.clip(brightness, 0, 255).astype(np.uint8)
    return images.decode_luma(images.encode_jpeg(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), 80), 160)


def noise(level: float) -> NDArray[np.floating]:
    return RANDOM.normal(0, level, (SIZE_WH[1], SIZE_WH[0]))


def with_clock(brightness: NDArray[np.floating]) -> NDArray[np.floating]:
    written = brightness.copy()
    cv2.putText(written, "2026-11-21 13:45:00 GATE", (10, 40), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 255.0, 3)
    return written


ACROSS = np.linspace(0, 1, SIZE_WH[0]) * np.ones((SIZE_WH[1], 1))
BLACK = noise(4) + 5
HAND = 70 + 60 * np.abs(ACROSS - 0.5) + noise(6)


@pytest.fixture(scope="module")
def room(test_data: Path) -> NDArray[np.floating]:
    jpeg = read_clip(test_data / "videos" / "store-aisle-detection.mp4", [10], width=SIZE_WH[0])[0]
    found: NDArray[np.floating] = cv2.resize(images.decode_luma(jpeg, 10_000), SIZE_WH).astype(np.float64)
    return found


@pytest.mark.parametrize(
    "covered",
    [BLACK, np.abs(noise(15)), HAND, 40 + 120 * ACROSS + noise(5), 200 + noise(4)],
    ids=["black", "noise in the dark", "hand", "slanting light", "paper"],
)
def test_what_shows_nothing(covered: NDArray[np.floating]) -> None:
    assert structured_share(luma(covered)) < LEAST_SHARE


def test_a_lens_smeared_with_grease_shows_nothing(room: NDArray[np.floating]) -> None:
    assert structured_share(luma(cv2.GaussianBlur(room, (0, 0), 41) + noise(4))) < LEAST_SHARE


def test_real_scenes_show_something(test_data: Path) -> None:
    """Also those of a dark road at night, the barest there is."""
    for name in ("store-aisle-detection.mp4", "car-detection.mp4", "dancer_dev.mp4", "short_hamilton_clip.mp4"):
        for jpeg in read_clip(test_data / "videos" / name, range(5, 75, 15), width=640):
            assert structured_share(images.decode_luma(jpeg, 160)) >= 2 * LEAST_SHARE, name


def test_it_takes_a_while_and_clears_by_itself(room: NDArray[np.floating]) -> None:
    obscured = Obscured(5)
    seen, black = luma(room), luma(BLACK)
    for at in range(20):
        obscured.look(black if 5 <= at < 15 else seen, at)
        assert obscured.is_obscured(at) == (10 <= at < 15), at


def test_a_clock_written_into_a_black_picture_hides_nothing(room: NDArray[np.floating]) -> None:
    obscured = Obscured(5)
    seen, black = luma(with_clock(room)), luma(with_clock(BLACK))
    for at in range(20):
        obscured.look(black if at >= 5 else seen, at)
    assert obscured.is_obscured(19)
    for at in range(20, 20 + 4 * 3_600, 5):  # However long it takes.
        obscured.look(black, at)
    assert obscured.is_obscured(at)


def test_without_a_look_nobody_knows() -> None:
    obscured = Obscured(5)
    for at in range(10):
        obscured.look(luma(BLACK), at)
    assert obscured.is_obscured(9)
    assert not obscured.is_obscured(30)


def test_a_wall_that_was_always_bare_is_no_alarm_by_its_clock_alone() -> None:
    obscured = Obscured(5)
    for at in range(100):
        obscured.look(luma(with_clock(200 + noise(4))), at)
    assert not obscured.is_obscured(99)
