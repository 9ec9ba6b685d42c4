"""What is drawn where: letterboxing, frames and labels, Hangul, and the plate of a camera without pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cameras import images
from cameras.images import Picture
from detections import annotate, lettering
from detections.annotate import BOX, Place, annotated, draw, fit, plate
from detections.marks import Mark, is_size

GREY = 128


def grey(width: int, height: int) -> Picture:
    return np.full((height, width, 3), GREY, np.uint8)


def decoded(width: int, height: int, marks: list[Mark] | None = None, caption: str = "", **source: int) -> Picture:
    jpeg = images.encode_jpeg(grey(source.get("w", 640), source.get("h", 480)))
    return images.decode_bgr(annotated(jpeg, (width, height), marks or [], caption))


def is_box(canvas: Picture) -> Any:
    return (canvas == np.array(BOX, np.uint8)).all(axis=2)


# --- Sizes


@pytest.mark.parametrize(
    ("size_wh", "place"),
    [
        ((960, 640), Place(54, 0, 853, 640)),  # Bars on the left and right.
        ((640, 640), Place(0, 80, 640, 480)),  # Above and below.
        ((640, 480), Place(0, 0, 640, 480)),  # As it is.
        ((64, 64), Place(0, 8, 64, 48)),  # Smaller.
        ((1920, 64), Place(917, 0, 85, 64)),
    ],
)
def test_a_picture_lies_in_the_middle_as_large_as_its_shape_allows(size_wh: tuple[int, int], place: Place) -> None:
    canvas, found = fit(grey(640, 480), size_wh)
    assert canvas.shape == (size_wh[1], size_wh[0], 3)
    assert abs(found.left - place.left) <= 1
    assert (found.top, found.width, found.height) == (place.top, place.width, place.height)
    inside = canvas[found.top : found.top + found.height, found.left : found.left + found.width]
    assert (inside == GREY).all()
    assert (canvas == GREY).all(axis=2).sum() == found.width * found.height  # All else is bars.


@pytest.mark.parametrize("source", [(1920, 1080), (160, 120), (100, 1000), (1, 1), (3840, 2160)])
def test_every_source_fills_the_size_that_was_asked_for(source: tuple[int, int]) -> None:
    picture = decoded(960, 640, w=source[0], h=source[1])
    assert picture.shape == (640, 960, 3)
    assert abs(int(picture[320, 480, 0]) - GREY) < 8


def test_without_a_size_a_picture_keeps_its_own() -> None:
    jpeg = images.encode_jpeg(grey(333, 217))
    assert images.decode_bgr(annotated(jpeg, None, [], "")).shape == (217, 333, 3)


def test_a_damaged_picture_is_refused() -> None:
    with pytest.raises(images.BadImage):
        annotated(images.encode_jpeg(grey(64, 64))[:300], (64, 64), [], "")


@pytest.mark.parametrize(
    ("width", "height", "holds"),
    [(64, 64, True), (1920, 1920, True), (960, 640, True), (32, 64, False), (1952, 640, False), (100, 640, False),
     (0, 0, False), (-64, 64, False)],
)  # fmt: skip
def test_sizes_are_multiples_of_32_within_bounds(width: int, height: int, holds: bool) -> None:
    assert is_size(width, height) is holds


# --- Frames around people


@pytest.mark.parametrize("size_wh", [(640, 480), (960, 640), (640, 640), (1920, 1088)])
def test_a_box_is_drawn_where_it_is_in_the_picture(size_wh: tuple[int, int]) -> None:
    canvas, place = fit(grey(640, 480), size_wh)
    draw(canvas, place, [Mark((0.25, 0.25, 0.5, 0.75))], "")
    rows, columns = np.nonzero(is_box(canvas))
    found = columns.min(), rows.min(), columns.max(), rows.max()
    meant = [place.left + 0.25 * place.width, place.top + 0.25 * place.height]
    meant += [place.left + 0.5 * place.width, place.top + 0.75 * place.height]
    assert np.allclose(found, meant, atol=6)
    middle = canvas[(rows.min() + rows.max()) // 2, (columns.min() + columns.max()) // 2]
    assert (middle == GREY).all()  # The person stays visible.


def test_an_unsure_box_is_dashed() -> None:
    sides = []
    for is_sure in (True, False):
        canvas, place = fit(grey(640, 480), None)
        draw(canvas, place, [Mark((0.2, 0.2, 0.6, 0.8), is_sure=is_sure)], "")
        side = is_box(canvas)[200:280, 126:131].any(axis=1)  # Between its corners.
        sides.append(side.mean())
    assert sides[0] == 1
    assert 0.3 < sides[1] < 0.7


@pytest.mark.parametrize(
    "xyxy", [(-1, -1, 2, 2), (0.5, 0.5, 0.5, 0.5), (1, 1, 1, 1), (0.9, 0.0, 0.1, 0.1), (float("nan"), 0, 1, 1)]
)
def test_odd_boxes_do_no_harm(xyxy: tuple[float, ...]) -> None:
    picture = decoded(
        320, 224, [Mark(xyxy, "홍길동"), *[Mark(xyxy, "a long label that has no room") for _ in range(4)]]
    )
    assert picture.shape == (224, 320, 3)


# --- Words


def label_of(text: str, *, crowd: int = 0, xyxy: tuple[float, ...] = (0.3, 0.4, 0.6, 0.9)) -> Picture:
    """What is drawn above a box, which without a label is the picture alone."""
    canvas, place = fit(grey(640, 480), None)
    draw(canvas, place, [Mark(xyxy, text), *[Mark((0.7, 0.7, 0.71, 0.71)) for _ in range(crowd)]], "")
    return canvas[150:184, 192:640]


def test_a_label_stands_above_its_box() -> None:
    assert (label_of("") == GREY).all()
    plain = label_of("홍길동")
    assert is_box(plain).mean() > 0.02
    assert (plain.max(axis=2) < 60).any()  # Dark letters on it.


def test_at_the_upper_edge_a_label_stands_within_its_box() -> None:
    canvas, place = fit(grey(640, 480), None)
    draw(canvas, place, [Mark((0.3, 0.0, 0.6, 0.9), "홍길동")], "")
    assert is_box(canvas[4:24, 195:240]).mean() > 0.3


def test_a_label_at_the_right_edge_is_not_cut() -> None:
    canvas, place = fit(grey(640, 480), None)
    draw(canvas, place, [Mark((0.98, 0.4, 1.0, 0.9), "홍길동과 친구들")], "")
    columns = np.nonzero(is_box(canvas[160:186]).any(axis=0))[0]
    assert columns.min() < 580


def test_in_a_crowd_labels_wider_than_their_boxes_are_left_out() -> None:
    narrow = (0.3, 0.4, 0.32, 0.9)
    assert is_box(label_of("1:02:03", xyxy=narrow)).any()
    assert not is_box(label_of("1:02:03", xyxy=narrow, crowd=4)).any()
    assert is_box(label_of("1:02:03", crowd=4)).any()


def test_the_caption_stands_below_and_small_pictures_have_none() -> None:
    for size_wh, is_there in [((320, 224), True), ((320, 128), False)]:
        canvas, place = fit(grey(320, size_wh[1]), size_wh)
        draw(canvas, place, [], "정문 · 2026-11-21 22:35:07 KST")
        assert bool((canvas[-14:-6] > 220).any()) is is_there
        assert (canvas[: size_wh[1] // 2] == GREY).all()


def test_syllables_are_drawn_as_distinct_glyphs_and_none_as_a_square() -> None:
    assert lettering.font_file() is not None, "install fonts-nanum"
    syllables = "가나다라마바사아자차카타파하홍길동정문초소영상없음뷁"
    drawn = {lettering.mask(syllable, 24).tobytes() for syllable in syllables}
    assert len(drawn) == len(syllables)
    assert all(lettering.has(syllable) for syllable in syllables)
    square = lettering._font(24).getmask(lettering.NOWHERE)
    assert bytes(square) not in {bytes(lettering._font(24).getmask(syllable)) for syllable in syllables}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("정문", "정문"),
        ("\u1112\u1169\u11bc", "홍"),  # Letter by letter, as macOS writes names.
        ("Gate\n\tA", "Gate A"),
        ("문 \U0001f600", "문 ?"),  # No such glyph.
        ("\u202ea\x00b", "?a?b"),
    ],
)
def test_what_cannot_be_drawn_is_a_question_mark(text: str, shown: str) -> None:
    assert lettering.legible(text) == shown


def test_texts_are_cut_to_the_room_there_is() -> None:
    assert lettering.fitted("정문 초소", 20, 500) == "정문 초소"
    cut = lettering.fitted("정문 초소 앞 주차장", 20, 100)
    assert cut.endswith("…")
    assert lettering.width(cut, 20) <= 100
    assert lettering.fitted("정문", 20, 3) == ""


def test_without_a_font_hangul_is_no_row_of_squares(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    caches = (lettering.font_file, lettering._font, lettering._glyph, lettering.has, lettering.mask)
    for cached in caches:
        cached.cache_clear()
    monkeypatch.setattr(lettering, "FOLDERS", (str(tmp_path),))
    try:
        assert lettering.legible("Gate 정문") == "Gate ??"
        assert decoded(320, 224, [Mark((0.2, 0.4, 0.6, 0.9), "정문")], "정문").shape == (224, 320, 3)
    finally:
        for cached in caches:
            cached.cache_clear()


# --- The plate


@pytest.mark.parametrize("size_wh", [(64, 64), (960, 640), (1920, 1920), (64, 1920), (1920, 64)])
def test_a_plate_has_its_words_in_the_middle(size_wh: tuple[int, int]) -> None:
    width, height = size_wh
    picture = images.decode_bgr(plate(size_wh, "정문 초소", "2026-11-21 22:35:07 KST부터 영상 없음"))
    assert picture.shape == (height, width, 3)
    light = picture.max(axis=2) > 120
    assert light.any()
    rows = np.nonzero(light.any(axis=1))[0]
    assert abs((rows.min() + rows.max()) / 2 - height / 2) < max(8, height / 20)
    assert not light[:, :2].any()
    assert not light[:, -2:].any()


def test_plates_of_different_times_differ() -> None:
    lines = ["2026-11-21 22:35:07 KST부터 영상 없음", "2026-11-21 22:35:08 KST부터 영상 없음"]
    assert len({plate((960, 640), "정문", line) for line in lines}) == 2


def test_letters_are_as_large_as_the_picture_lets_them_be() -> None:
    heights = []
    for size_wh in [(320, 224), (960, 640), (1920, 1088)]:
        canvas, place = fit(grey(*size_wh), None)
        draw(canvas, place, [], "Gate")
        heights.append(int((canvas != GREY).any(axis=(1, 2)).sum()))
    assert heights == sorted(heights)
    assert annotate.CAPTION_FROM_PX <= 224
