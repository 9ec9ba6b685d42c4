"""Pictures: what is refused before it is decoded, what decoding refuses, colour order, and how mutated input fares."""

from __future__ import annotations

import random
import re
import resource
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from cameras import images
from cameras.images import BadImage

WIDTH, HEIGHT = 320, 240
SOF, SOS = b"\xff\xc0", b"\xff\xda"


def picture(width: int = WIDTH, height: int = HEIGHT) -> images.Picture:
    """Blue to the left, green in the middle, red to the right, with some texture."""
    bgr = np.zeros((height, width, 3), np.uint8)
    for channel, columns in enumerate(np.array_split(np.arange(width), 3)):
        bgr[:, columns, channel] = 200
    rows, columns = np.mgrid[:height, :width]
    texture = (20 * np.sin(rows / 7) * np.cos(columns / 11) + 20).astype(np.uint8)
    return np.asarray(bgr + texture[..., None], np.uint8)


JPEG = images.encode_jpeg(picture())


def encoded(*flags: int, bgr: np.ndarray | None = None) -> bytes:
    return cv2.imencode(".jpg", picture() if bgr is None else bgr, list(flags))[1].tobytes()


def with_sof(*, marker: int = 0xC0, bits: int = 8, height: int = HEIGHT, width: int = WIDTH) -> bytes:
    at = JPEG.index(SOF)
    header = bytes([0xFF, marker]) + JPEG[at + 2 : at + 4] + bytes([bits])
    return JPEG[:at] + header + height.to_bytes(2, "big") + width.to_bytes(2, "big") + JPEG[at + 9 :]


def with_segment(segment: bytes) -> bytes:
    at = JPEG.index(SOF)
    return JPEG[:at] + segment + JPEG[at:]


def damaged() -> bytes:
    """All markers in place, and coded data that ends too early."""
    at = JPEG.index(SOS) + 14
    return JPEG[: at + 300] + JPEG[-2:]


def reason_of(call: Callable[[], object]) -> str:
    with pytest.raises(BadImage) as refused:
        call()
    return refused.value.reason


# --- Size, without decoding ---


@pytest.mark.parametrize(
    "jpeg",
    [
        JPEG,
        encoded(cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        encoded(cv2.IMWRITE_JPEG_RST_INTERVAL, 4),
        encoded(bgr=picture()[..., 0]),  # One component: a grey picture.
        JPEG + bytes(700),  # Cameras that send blocks of a fixed size pad with zeros.
        JPEG[:-2] + b"\xff\xff\xff" + JPEG[-2:],  # Padding before a marker is legal.
        with_segment(b"\xff\xfe\x00\x07hello"),
    ],
    ids=["baseline", "progressive", "restarts", "grey", "padded", "filled", "comment"],
)
def test_it_reads_the_size_of_what_cameras_send(jpeg: bytes) -> None:
    assert images.size_of(jpeg, max_pixels=WIDTH * HEIGHT) == (WIDTH, HEIGHT)
    assert images.decode_bgr(jpeg).shape == (HEIGHT, WIDTH, 3)
    assert images.decode_luma(jpeg, 160).shape == (120, 160)


@pytest.mark.parametrize(
    ("jpeg", "reason"),
    [
        (b"", "not_jpeg"),
        (b"\xff\xd8", "not_jpeg"),
        (b"hello, world", "not_jpeg"),
        (cv2.imencode(".png", picture())[1].tobytes(), "not_jpeg"),
        (b"\0" + JPEG, "not_jpeg"),
        (JPEG[:20], "truncated"),
        (JPEG[:-1], "truncated"),
        (JPEG[:-2], "truncated"),
        (JPEG[: len(JPEG) // 2], "truncated"),
        (JPEG[:-2] + b"\xff" * 2_000, "truncated"),
        (b"\xff\xd8\xff\xe0\xff\xffJFIF" + JPEG[20:], "truncated"),  # A length beyond the end.
        (b"\xff\xd8\xff\xe0\x00\x01" + JPEG[6:], "corrupt"),  # A length shorter than itself.
        (b"\xff\xd8\xff\xd9", "corrupt"),  # Ends before it begins.
        (JPEG[: JPEG.index(SOF)] + JPEG[JPEG.index(SOS) :], "corrupt"),  # Coded data without a frame header.
        (JPEG[: JPEG.index(SOS)] + b"\xff\xd9", "corrupt"),  # A frame header without coded data.
        (with_segment(JPEG[JPEG.index(SOF) : JPEG.index(SOF) + 19]), "corrupt"),  # Two frame headers, two sizes.
        (with_segment(b"junk"), "corrupt"),
        (JPEG + JPEG, "corrupt"),
        (JPEG + bytes(50) + b"x", "corrupt"),
        (with_sof(width=0), "corrupt"),
        (with_sof(height=0), "corrupt"),
        (with_sof(bits=12), "unsupported"),
        (with_sof(marker=0xC3), "unsupported"),  # Lossless.
        (with_sof(marker=0xC9), "unsupported"),  # Arithmetic coding.
        (with_sof(marker=0xC6), "unsupported"),  # Hierarchical.
        (with_segment(b"\xff\xfe\x00\x02" * 1_000), "unsupported"),  # No encoder writes so many segments.
        (JPEG[:-2] + JPEG[JPEG.index(SOS) : -2] * 30 + JPEG[-2:], "unsupported"),  # Nor so many scans.
        (with_sof(width=20_000, height=20_000), "too_many_pixels"),
        (with_sof(width=WIDTH + 1), "too_many_pixels"),
    ],
)
def test_it_says_why_a_picture_is_refused(jpeg: bytes, reason: str) -> None:
    assert reason_of(lambda: images.size_of(jpeg, max_pixels=WIDTH * HEIGHT)) == reason


def test_four_components_are_refused() -> None:
    cmyk = JPEG.replace(
        JPEG[JPEG.index(SOF) : JPEG.index(SOF) + 19], b"\xff\xc0\x00\x14\x08\x00\xf0\x01\x40\x04" + bytes(12)
    )
    assert reason_of(lambda: images.size_of(cmyk)) == "unsupported"


def test_every_beginning_of_a_picture_is_refused() -> None:
    for length in range(len(JPEG)):
        assert reason_of(partial(images.size_of, JPEG[:length])) in ("not_jpeg", "truncated")


@pytest.mark.parametrize(
    "jpeg",
    [
        with_sof(width=20_000, height=20_000),
        b"\xff\xd8\xff\xe0\x00\x02" + b"\xff\xfe\x00\x02" * 249_000,
        b"\xff\xd8" + b"\xff" * 999_000,
        JPEG[:700] + b"\xff\x00" * 499_000,
        JPEG[:700] + b"\xff\xd0" * 499_000,
    ],
    ids=["huge", "segments", "padding", "stuffing", "restarts"],
)
def test_refusing_takes_no_time_however_long_the_input(jpeg: bytes) -> None:
    began = time.process_time()
    reason_of(lambda: images.size_of(jpeg, max_pixels=4_096 * 2_304))
    assert time.process_time() - began < 0.1


# --- Decoding ---


def test_blue_comes_first() -> None:
    for bgr in (images.decode_bgr(JPEG), images.decode_small_bgr(JPEG, 80)):
        third = bgr.shape[1] // 3
        for channel in range(3):
            middle = bgr[:, channel * third + third // 2].mean(axis=0)
            assert middle.argmax() == channel
            assert middle[channel] > 150


def test_what_is_encoded_comes_back() -> None:
    assert np.abs(images.decode_bgr(JPEG).astype(int) - picture()).mean() < 6
    assert images.size_of(images.encode_jpeg(picture()[::2, ::-2])) == (WIDTH // 2, HEIGHT // 2)


@pytest.mark.parametrize("size_wh", [(640, 480), (640, 360), (1280, 720), (771, 433), (100, 300), (16, 16), (1, 1)])
def test_small_pictures_keep_their_shape(size_wh: tuple[int, int]) -> None:
    width, height = size_wh
    jpeg = images.encode_jpeg(picture(width, height))
    for longest_px in (160, 320, 4_000):
        scale = min(1, longest_px / max(size_wh))
        expected = round(height * scale), round(width * scale)
        for small in (images.decode_small_bgr(jpeg, longest_px), images.decode_luma(jpeg, longest_px)):
            assert small.dtype == np.uint8
            assert np.abs(np.subtract(small.shape[:2], expected)).max() <= 1
        assert images.decode_luma(jpeg, longest_px).ndim == 2


def test_small_pictures_look_like_the_whole() -> None:
    jpeg = images.encode_jpeg(picture(640, 480), quality=95)
    whole = cv2.resize(images.decode_bgr(jpeg), (160, 120), interpolation=cv2.INTER_AREA)
    assert np.abs(images.decode_small_bgr(jpeg, 160).astype(int) - whole).mean() < 3
    grey = cv2.cvtColor(whole, cv2.COLOR_BGR2GRAY)
    assert np.abs(images.decode_luma(jpeg, 160).astype(int) - grey).mean() < 3


@pytest.mark.parametrize("decode", [images.check, images.decode_bgr, lambda jpeg: images.decode_small_bgr(jpeg, 160)])
def test_damage_that_only_decoding_finds_is_refused(decode: Callable[[bytes], object]) -> None:
    assert images.size_of(damaged()) == (WIDTH, HEIGHT)
    assert reason_of(lambda: decode(damaged())) == "corrupt"
    decode(JPEG)


def test_the_luma_of_a_damaged_picture_shows_the_damage() -> None:
    whole, part = images.decode_luma(JPEG, 160), images.decode_luma(damaged(), 160)
    assert part.shape == whole.shape
    assert np.abs(part.astype(int) - whole).mean() > 10


@pytest.mark.parametrize("decode", [images.check, images.decode_bgr, lambda jpeg: images.decode_luma(jpeg, 160)])
def test_what_is_no_picture_cannot_be_decoded(decode: Callable[[bytes], object]) -> None:
    for jpeg in (b"", b"hello", JPEG[:100], JPEG[: JPEG.index(SOF)] + JPEG[JPEG.index(SOS) :]):
        assert reason_of(partial(decode, jpeg)) == "corrupt"


def test_no_note_about_its_orientation_turns_a_picture() -> None:
    """Boxes and motion are in the pixels' own coordinates, whichever way the camera was held."""
    tag = b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00"  # Orientation: a quarter turn.
    exif = b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01" + tag + bytes(4)
    turned = JPEG[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + JPEG[2:]
    obeyed = np.asarray(cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR))
    assert obeyed.shape[:2] == (WIDTH, HEIGHT)
    assert images.size_of(turned) == (WIDTH, HEIGHT)
    assert images.decode_bgr(turned).shape == (HEIGHT, WIDTH, 3)
    assert images.decode_luma(turned, WIDTH).shape == (HEIGHT, WIDTH)


def test_a_picture_without_huffman_tables_is_read() -> None:
    """As webcams send them inside motion JPEG: the standard's own tables are meant."""
    bare = re.sub(rb"\xff\xc4(..)", b"\xff\xfe\\1", JPEG[: JPEG.index(SOS)], flags=re.DOTALL) + JPEG[JPEG.index(SOS) :]
    assert images.size_of(bare) == (WIDTH, HEIGHT)
    assert (images.decode_bgr(bare) == images.decode_bgr(JPEG)).all()
    assert (images.decode_luma(bare, 160) == images.decode_luma(JPEG, 160)).all()


def test_shrinking_leaves_a_small_picture_alone() -> None:
    small = picture(80, 60)
    assert images.shrink(small, longest_px=80) is small
    assert images.shrink(small, longest_px=40).shape == (30, 40, 3)
    assert images.shrink(picture(300, 2), longest_px=30).shape == (1, 30, 3)


def test_others_run_while_a_luma_is_decoded() -> None:
    """The interpreter's lock is free meanwhile: with switching by time turned off nothing else would hand it over."""
    noise = np.random.default_rng(1).integers(0, 255, (2_304, 4_096, 3), dtype=np.uint8)
    jpeg = images.encode_jpeg(noise)
    images.decode_luma(jpeg, 160)
    begun, ended = threading.Event(), threading.Event()

    def decode() -> None:
        begun.set()
        images.decode_luma(jpeg, 160)
        ended.set()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(60)
    try:
        thread = threading.Thread(target=decode)
        thread.start()
        begun.wait()
        ran_meanwhile = not ended.is_set()
    finally:
        sys.setswitchinterval(interval)
        thread.join()
    assert ran_meanwhile


# --- Anything at all ---


def mutated(jpeg: bytes, rng: random.Random) -> bytes:
    raw = bytearray(jpeg)
    for _mutation in range(rng.choice((1, 1, 2, 5, 20))):
        at = rng.randrange(len(raw)) if rng.random() < 0.5 else rng.randrange(min(len(raw), 640))
        match rng.randrange(6):
            case 0:
                raw[at] = rng.randrange(256)
            case 1:
                raw[at] ^= 1 << rng.randrange(8)
            case 2:
                raw[at : at + 2] = b"\xff" + bytes([rng.randrange(256)])
            case 3:
                del raw[at : at + rng.randrange(1, 50)]
            case 4:
                raw[at:at] = rng.randbytes(rng.randrange(1, 50))
            case 5:
                begin = rng.randrange(len(raw))
                raw[at:at] = raw[begin : begin + rng.randrange(1, 400)]
        if len(raw) < 4:
            break
    return bytes(raw)


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


@pytest.mark.fuzz
@pytest.mark.timeout(120)
def test_ten_thousand_mutated_pictures_are_read_or_refused() -> None:
    rng = random.Random(20)
    seeds = [
        JPEG,
        encoded(cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        encoded(cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
        images.encode_jpeg(picture(64, 48)),
    ]
    steps: list[Callable[[bytes], object]] = [
        images.check,
        images.decode_bgr,
        lambda raw: images.decode_small_bgr(raw, 100),
        lambda raw: images.decode_luma(raw, 160),
    ]
    seen: dict[str, int] = {}
    settled_mb = 0.0
    for number in range(10_000):
        if number == 2_000:
            settled_mb = resident_mb()
        jpeg = mutated(rng.choice(seeds), rng)
        try:
            images.size_of(jpeg, max_pixels=1_000_000)
        except BadImage as refused:
            seen[refused.reason] = seen.get(refused.reason, 0) + 1
            continue
        for step in steps:
            try:
                step(jpeg)
            except BadImage as refused:
                seen[f"decoding: {refused}"] = seen.get(f"decoding: {refused}", 0) + 1
            else:
                seen["read"] = seen.get("read", 0) + 1
    refusals = {"not_jpeg", "truncated", "corrupt", "unsupported", "too_many_pixels", "decoding: corrupt"}
    assert set(seen) == {*refusals, "read"}
    assert resident_mb() - settled_mb < 10
