"""Masks in pixels: all that a mask touches is black, what lies away from it is as it was, in every kind of picture."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from cameras import images, masks
from cameras.zones import Points, contains

TRIANGLE: Points = ((0.2, 0.1), (0.7, 0.35), (0.3, 0.8))
SQUARE: Points = ((0.5, 0.5), (0.9, 0.5), (0.9, 0.9), (0.5, 0.9))
L_SHAPE: Points = ((0.0, 0.0), (0.5, 0.0), (0.5, 0.2), (0.2, 0.2), (0.2, 1.0), (0.0, 1.0))


def touched(polygon: Points, width: int, height: int) -> np.ndarray:
    """Pixels of which at least one of nine places lies in the polygon."""
    found = np.zeros((height, width), bool)
    for row in range(height):
        for column in range(width):
            found[row, column] = any(
                contains(polygon, ((column + (i + 0.5) / 3) / width, (row + (j + 0.5) / 3) / height))
                for i in range(3)
                for j in range(3)
            )
    return found


@pytest.mark.parametrize("polygon", [TRIANGLE, SQUARE, L_SHAPE])
@pytest.mark.parametrize("size_wh", [(48, 36), (45, 29)])
def test_every_pixel_that_a_mask_touches_is_black_and_what_lies_away_stays(
    polygon: Points, size_wh: tuple[int, int]
) -> None:
    width, height = size_wh
    picture = np.full((height, width, 3), 255, np.uint8)
    masks.burn_bgr(picture, [polygon])
    inside = touched(polygon, width, height)
    assert not picture[inside].any()
    near = np.zeros_like(inside)
    for dy in range(-3, 4):
        for dx in range(-3, 4):
            near |= np.roll(np.pad(inside, 4), (dy, dx), (0, 1))[4:-4, 4:-4]
    assert (picture[~near] == 255).all()
    assert (~near).any()


def test_masks_that_overlap_do_not_uncover_each_other() -> None:
    picture = np.full((30, 40, 3), 255, np.uint8)
    masks.burn_bgr(picture, [TRIANGLE, SQUARE, SQUARE])
    assert not picture[touched(TRIANGLE, 40, 30) | touched(SQUARE, 40, 30)].any()


@pytest.mark.parametrize("ratio", [(2, 2), (2, 1), (1, 1)], ids=["420", "422", "444"])
def test_planes_keep_neither_brightness_nor_colour_of_what_is_masked(ratio: tuple[int, int]) -> None:
    y = np.full((38, 48), 200, np.uint8)
    u, v = (np.full((-(-38 // ratio[1]), -(-48 // ratio[0])), 40, np.uint8) for _ in range(2))
    masks.burn_yuv((y, u, v), [TRIANGLE])
    inside = touched(TRIANGLE, 48, 38)
    rows, columns = np.nonzero(inside)
    assert (y[inside] == masks.BLACK_LUMA).all()
    for plane in (u, v):
        assert (plane[rows // ratio[1], columns // ratio[0]] == masks.NO_COLOUR).all()
        assert plane[-1, -1] == 40
    assert y[-1, -1] == 200


def test_planes_may_be_padded_interleaved_and_deep() -> None:
    padded = np.full((48, 96), 200, np.uint8)
    both = np.full((24, 40, 2), 90, np.uint8)
    masks.burn_yuv((padded[:, :80], both), [SQUARE])
    assert padded[30, 50] == masks.BLACK_LUMA
    assert padded[30, 90] == 200  # Padding is none of the picture.
    assert both[15, 25].tolist() == [128, 128]
    deep = np.full((48, 80), 900, np.uint16)
    masks.burn_yuv((deep,), [SQUARE], black=64, no_colour=512)
    assert deep[30, 50] == 64


def test_a_jpeg_is_black_where_it_is_masked_and_nearly_the_same_elsewhere() -> None:
    generator = np.random.default_rng(1)
    small = generator.integers(0, 255, (12, 16, 3), np.uint8)
    picture = np.asarray(Image.fromarray(small).resize((320, 240), Image.Resampling.BICUBIC)).copy()
    before = images.decode_bgr(images.encode_jpeg(picture, 90))
    after = images.decode_bgr(masks.burn_jpeg(images.encode_jpeg(picture, 90), [SQUARE]))
    assert after[124:212, 164:284].max() < 12
    assert np.abs(after[:110].astype(int) - before[:110]).mean() < 2
    assert after.shape == before.shape


def test_a_jpeg_loses_the_preview_in_its_headers() -> None:
    """A camera's Exif holds a small picture of its own, which nobody would see masked."""
    jpeg = images.encode_jpeg(np.full((48, 64, 3), 200, np.uint8))
    preview = b"Exif\0\0" + jpeg
    with_preview = jpeg[:2] + b"\xff\xe1" + (len(preview) + 2).to_bytes(2, "big") + preview + jpeg[2:]
    assert images.size_of(with_preview) == (64, 48)
    assert b"Exif" not in masks.burn_jpeg(with_preview, [SQUARE])


def test_without_masks_a_jpeg_is_not_even_read() -> None:
    assert masks.burn_jpeg(b"anything", []) == b"anything"


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(images.BadImage):
        masks.burn_jpeg(b"\xff\xd8\xff nothing", [SQUARE])
