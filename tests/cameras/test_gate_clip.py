"""The gate on a whole clip, judged with people where they are, and the part of a picture that it looks at."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from cameras import images
from cameras.entries import Kind
from cameras.frames import Frame
from cameras.gate import AnalysisView, Gate, Rules, cut
from cameras.presence import NOBODY, Presence
from tests.build import make_entry

# --- The enlarged part ---


@pytest.mark.parametrize(
    ("region", "share", "left_top_px"),
    [
        ((0.45, 0.45, 0.55, 0.55), 0.5, (25, 25)),  # In the middle.
        ((0.0, 0.0, 0.1, 0.1), 0.25, (0, 0)),  # Never beyond an edge.
        ((0.9, 0.95, 1.0, 1.0), 0.25, (75, 75)),
        ((0.0, 0.0, 1.0, 1.0), 1.0, (0, 0)),
    ],
)
def test_the_part_lies_around_its_region_and_inside_the_picture(
    region: tuple[float, float, float, float], share: float, left_top_px: tuple[int, int]
) -> None:
    rows, columns = np.mgrid[:100, :100].astype(np.uint8)
    part = cut(np.dstack([columns, rows, rows]), region, share)
    assert part.shape == (100 * share, 100 * share, 3)
    assert tuple(part[0, 0, :2]) == left_top_px


def test_a_part_of_a_tiny_picture_is_not_empty() -> None:
    assert cut(np.zeros((1, 2, 3), np.uint8), (0.9, 0.9, 1.0, 1.0), 0.25).size > 0


# --- A whole clip ---


@dataclass
class Clip:
    """The one-by-one clip at a rate, and what is known of it: in which frames somebody is in the picture."""

    jpegs: list[bytes]
    visits: list[list[int]]
    step: int

    def is_occupied(self, number: int, *, margin: int = 0) -> bool:
        return any(first + margin <= number * self.step <= last - margin for first, last in self.visits)

    def is_empty(self, number: int) -> bool:
        """Beyond a second and a half after somebody has left."""
        return all(not first <= number * self.step <= last + 15 for first, last in self.visits)


@pytest.fixture(scope="module")
def room_jpegs(test_data: Path) -> list[bytes]:
    clip = cv2.VideoCapture(str(test_data / "videos" / "one-by-one-person-detection.mp4"))
    frames: Iterator[np.ndarray] = (clip.read()[1] for _frame in range(730))
    jpegs = [images.encode_jpeg(cv2.resize(f, (640, 360), interpolation=cv2.INTER_AREA), 80) for f in frames]
    clip.release()
    return jpegs


@pytest.mark.parametrize(("step", "with_detector"), [(1, True), (2, True), (1, False)])
def test_people_are_admitted_and_the_empty_room_is_not(
    test_data: Path, room_jpegs: list[bytes], step: int, with_detector: bool
) -> None:
    """The small detector and analysis see a person from the fourth frame inside a visit on; analysis answers late."""
    truth = json.loads((test_data / "videos" / "one-by-one-person-detection.presence.json").read_text())
    clip = Clip(room_jpegs[::step], truth["visits"][:3], step)
    now = 0
    gate = Gate(Rules(), (lambda picture: 0.8 if clip.is_occupied(now, margin=3) else 0.05) if with_detector else None)
    answers: deque[Presence] = deque([NOBODY] * 2)
    admitted, last_box_at, looked = [], -1e9, 0
    for now, jpeg in enumerate(clip.jpegs):
        at = now * step / 10
        frame = Frame(1, "0" * 32, now + 1, at, at, jpeg)
        judgement = gate.judge(frame, presence=answers.popleft(), analysis=AnalysisView(), now=at)
        looked += judgement.person_confidence is not None
        if judgement.admitted:
            gate.admitted(make_entry(now + 1, Kind.ADMITTED, at, reason=judgement.reason, received_at=at))
            last_box_at = at if clip.is_occupied(now, margin=3) else last_box_at
            answers.append(Presence(n=now + 1, captured_at=at, present=at - last_box_at <= 1))
        else:
            answers.append(answers[-1])
        admitted.append(judgement.admitted and not judgement.sample)
    inside = [admitted[i] for i in range(len(admitted)) if clip.is_occupied(i, margin=10)]
    empty = [not admitted[i] for i in range(len(admitted)) if clip.is_empty(i)]
    assert len(inside) > 500 / step
    assert len(empty) > 100 / step
    assert sum(inside) / len(inside) >= 0.99
    if with_detector:
        assert sum(empty) / len(empty) >= 0.98
        assert looked < 0.1 * len(admitted)
