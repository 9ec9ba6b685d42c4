"""Boxes: parallel arrays that cannot disagree."""

from __future__ import annotations

import numpy as np
import pytest

from detections.boxes import PERSON, Boxes

CORNERS = np.array([[0, 0, 10, 20], [5, 5, 8, 9]], np.float32)
CONFIDENCE = np.array([0.9, 0.3], np.float32)
CLASSES = np.array([PERSON, 2], np.int64)


@pytest.mark.parametrize(
    ("xyxy", "confidence", "class_id", "says"),
    [
        (CORNERS[:1], CONFIDENCE, CLASSES, "shapes"),  # fewer boxes than confidences
        (CORNERS[:, :3], CONFIDENCE, CLASSES, "shapes"),  # three corners
        (CORNERS, CONFIDENCE, CLASSES[:1], "shapes"),  # fewer classes
        (CORNERS.astype(np.float64), CONFIDENCE, CLASSES, "float32"),
        (CORNERS, CONFIDENCE, CLASSES.astype(np.float32), "int64"),
        (CORNERS[:, [2, 1, 0, 3]], CONFIDENCE, CLASSES, "right >= left"),
        (CORNERS[:, [0, 3, 2, 1]], CONFIDENCE, CLASSES, "bottom >= top"),
        (np.full((2, 4), np.nan, np.float32), CONFIDENCE, CLASSES, "finite"),
        (CORNERS, CONFIDENCE + np.float32(0.2), CLASSES, "0 to 1"),
        (CORNERS, CONFIDENCE - np.float32(0.4), CLASSES, "0 to 1"),
        (CORNERS, np.array([0.5, np.nan], np.float32), CLASSES, "0 to 1"),
    ],
)
def test_it_refuses_arrays_that_make_no_boxes(
    xyxy: np.ndarray, confidence: np.ndarray, class_id: np.ndarray, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        Boxes(xyxy, confidence, class_id)


def test_empty_has_no_boxes() -> None:
    assert len(Boxes.empty()) == 0
    assert Boxes.empty().xyxy.shape == (0, 4)


def test_only_keeps_one_class() -> None:
    kept = Boxes(CORNERS, CONFIDENCE, CLASSES).only(2)
    assert kept.xyxy.tolist() == [[5, 5, 8, 9]]
    assert kept.class_id.tolist() == [2]


@pytest.mark.parametrize(("least", "count"), [(0.0, 2), (0.3, 2), (0.31, 1), (0.91, 0)])
def test_above_keeps_those_at_least_so_confident(least: float, count: int) -> None:
    # 0.3 as float32 is a little more than 0.3, so the limit itself belongs to it.
    assert len(Boxes(CORNERS, CONFIDENCE, CLASSES).above(least)) == count


def test_people_are_made_from_any_floats() -> None:
    people = Boxes.people(CORNERS.astype(np.float64)[:, :], np.array([0.5, 0.25]))
    assert people.xyxy.dtype == np.float32
    assert people.class_id.tolist() == [PERSON, PERSON]
    assert len(Boxes.people(np.zeros((0, 4)), np.zeros(0))) == 0


def test_its_arrays_cannot_be_written_but_the_callers_can() -> None:
    mine = CORNERS.copy()
    boxes = Boxes(mine, CONFIDENCE, CLASSES)
    with pytest.raises(ValueError, match="read-only"):
        boxes.xyxy[0, 0] = 1
    mine[0, 0] = 1
