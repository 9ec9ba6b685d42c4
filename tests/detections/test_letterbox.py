"""Pictures into tensors and boxes back."""

from __future__ import annotations

import numpy as np
import pytest

from detections.letterbox import GREY, letterbox


@pytest.mark.parametrize(
    ("width", "height", "longest", "shape"),
    [
        (768, 432, 640, (384, 640)),  # 16:9, padded from 360
        (640, 480, 640, (480, 640)),  # fits as it is
        (320, 240, 640, (480, 640)),  # made larger
        (480, 640, 640, (640, 480)),  # upright
        (1920, 1080, 320, (192, 320)),  # the gate's
        (500, 500, 640, (640, 640)),
        (3000, 2, 640, (32, 640)),  # a line still has a stride
    ],
)
def test_only_the_shorter_side_is_padded_and_only_to_a_stride(
    width: int, height: int, longest: int, shape: tuple[int, int]
) -> None:
    prepared = letterbox(np.full((height, width, 3), 200, np.uint8), longest)
    assert prepared.tensor.shape == (1, *shape, 3)
    assert prepared.tensor.flags.c_contiguous


def test_the_padding_is_grey_and_the_picture_in_the_middle() -> None:
    tensor = letterbox(np.full((432, 768, 3), 200, np.uint8), 640).tensor[0]
    assert (tensor[:12] == GREY).all()
    assert (tensor[12:372] == 200).all()
    assert (tensor[372:] == GREY).all()


def test_corners_come_back_in_pixels_of_the_frame() -> None:
    prepared = letterbox(np.zeros((432, 768, 3), np.uint8), 640)
    whole = np.array([[0, 12, 640, 372], [320, 192, 640, 372]], np.float32)
    assert prepared.to_picture(whole).tolist() == [[0, 0, 768, 432], [384, 216, 768, 432]]


def test_corners_outside_the_picture_are_cut_off() -> None:
    prepared = letterbox(np.zeros((432, 768, 3), np.uint8), 640)
    assert prepared.to_picture(np.array([[-50, 0, 700, 384]], np.float32)).tolist() == [[0, 0, 768, 432]]


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((10, 10), np.uint8),  # grey
        np.zeros((10, 10, 4), np.uint8),  # with alpha
        np.zeros((0, 10, 3), np.uint8),
        np.zeros((10, 10, 3), np.float32),
    ],
)
def test_it_refuses_what_is_no_frame(frame: np.ndarray) -> None:
    with pytest.raises(ValueError, match="A frame is uint8"):
        letterbox(frame, 640)
