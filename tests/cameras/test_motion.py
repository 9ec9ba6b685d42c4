"""Motion: what light, noise and time do to an empty scene is none; a person, however small or faint, is."""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import cv2
import numpy as np
import pytest

from cameras import images
from cameras.motion import LEARNING_FRAMES, Motion, MotionResult, Region

WIDTH, HEIGHT = 640, 480
STEP_S = 0.2


def room(seed: int = 3) -> np.ndarray:
    """An empty scene as grey levels: a wall with a gradient, a floor with texture, a door and some furniture."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    scene = 110 + 40 * columns / WIDTH - 20 * rows / HEIGHT
    floor = rows > 320
    scene[floor] = (70 + 12 * np.sin(columns / 9) * np.sin(rows / 5))[floor]
    scene[120:330, 380:470] = 60
    scene[130:320, 390:460] = 75
    for _thing in range(12):
        left, top = rng.integers(0, WIDTH - 60), rng.integers(0, HEIGHT - 60)
        width, height = rng.integers(10, 60, 2)
        scene[top : top + height, left : left + width] += rng.integers(-40, 40)
    return np.asarray(cv2.GaussianBlur(scene, (0, 0), 1.5))


ROOM = room()
NOISE = np.random.default_rng(1).normal(0, 1, (4, HEIGHT, WIDTH)).astype(np.float32)


class Camera:
    """Turns scenes into small luma pictures the way a camera does: noise, JPEG, and decoding at a quarter."""

    def __init__(self, *, noise: float = 3.0, seed: int = 1) -> None:
        self.noise = noise
        self.rng = np.random.default_rng(seed)
        self.at = 1_000.0

    def shoot(self, scene: np.ndarray) -> np.ndarray:
        self.at += STEP_S
        # Fresh noise for every picture would be most of what these tests cost.
        noise = np.roll(NOISE[self.rng.integers(len(NOISE))], self.rng.integers(0, (HEIGHT, WIDTH)), axis=(0, 1))
        grey = np.clip(scene + self.noise * noise, 0, 255).astype(np.uint8)
        return images.decode_luma(cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes(), 160)


def taught(camera: Camera, scene: np.ndarray = ROOM, *, frames: int = 25, motion: Motion | None = None) -> Motion:
    motion = motion or Motion()
    for _frame in range(frames):
        if motion.moved(camera.shoot(scene), camera.at).moved:
            motion.accept()
    return motion


def watch(motion: Motion, camera: Camera, scene: Callable[[int], np.ndarray], frames: int) -> list[bool]:
    """Whether each frame had moved, when the detector finds nobody in any."""
    results = []
    for number in range(frames):
        result = motion.moved(camera.shoot(scene(number)), camera.at)
        results.append(result.moved)
        if result.moved:
            motion.accept()
    return results


def figure(scene: np.ndarray, *, left: int, top: int, height: int, contrast: float = 1.0) -> np.ndarray:
    """A dark coat with a light head, a third as wide as high; it may reach beyond the picture."""
    width = max(3, height // 3)
    alpha, shade = np.zeros((height, width), np.float32), np.full((height, width), 35, np.float32)
    head = max(1, height // 6)
    cv2.ellipse(alpha, (width // 2, head), (max(1, width // 4), head), 0, 0, 360, 1.0, -1)
    shade[: 2 * head] = 190
    alpha[2 * head :] = 1
    rows, columns = slice(max(0, top), min(HEIGHT, top + height)), slice(max(0, left), min(WIDTH, left + width))
    inside = (
        slice(rows.start - top, rows.stop - top),
        slice(columns.start - left, columns.stop - left),
    )
    with_figure = scene.copy()
    with_figure[rows, columns] += contrast * alpha[inside] * (shade[inside] - scene[rows, columns])
    return with_figure


ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
LAMP = np.exp(-((COLUMNS - 450) ** 2 + (ROWS - 140) ** 2) / (2 * 120**2))


def shadow(left: float) -> np.ndarray:
    columns = np.arange(WIDTH, dtype=np.float32)
    edges = 1 / (1 + np.exp(-(columns - left) / 25)) - 1 / (1 + np.exp(-(columns - left - 200) / 25))
    return 1 - 0.3 * edges[None, :]


# --- What is no motion ---


@pytest.mark.parametrize(
    ("scene", "noise", "most"),
    [
        (lambda n: ROOM, 1.0, 0),
        (lambda n: ROOM, 5.0, 0),
        (lambda n: ROOM, 15.0, 1),
        (lambda n: ROOM * (1.3 if n >= 20 else 1), 3.0, 0),
        (lambda n: ROOM * (0.7 if n >= 20 else 1), 3.0, 0),
        (lambda n: ROOM + (25 if n >= 20 else 0), 3.0, 0),
        (lambda n: 255 * (ROOM / 255) ** (1.3 if n >= 20 else 1), 3.0, 0),
        (lambda n: ROOM * (1 - 0.3 * min(1, n / 8)), 3.0, 0),  # The camera's exposure.
        (lambda n: ROOM * (1 + 0.4 * n / 60), 3.0, 0),  # Dusk and dawn, fast.
        (lambda n: ROOM * (1 + 0.15 * np.sin(n * 2.3)), 3.0, 0),
        (lambda n: ROOM * (1 + 0.3 * np.sin(n * 1.7) * LAMP), 3.0, 1),  # One lamp flickers in a part of the picture.
        (lambda n: ROOM * (1 + (0.4 if n >= 20 else 0) * LAMP), 3.0, 0),
        (lambda n: ROOM * shadow(n * 14.0 - 200), 3.0, 2),  # A soft shadow wanders through.
    ],
    ids=[
        "still",
        "noise",
        "night",
        "brighter",
        "darker",
        "offset",
        "gamma",
        "exposure",
        "drift",
        "flicker",
        "lamp_flickers",
        "lamp_on",
        "shadow",
    ],
)
def test_light_and_noise_are_no_motion(scene: Callable[[int], np.ndarray], noise: float, most: int) -> None:
    camera = Camera(noise=noise)
    moved = watch(taught(camera), camera, scene, 60)
    assert sum(moved) <= most, moved


# --- What is ---


@pytest.mark.parametrize(
    ("height", "contrast", "noise"),
    [
        (400, 1.0, 3.0),
        (120, 1.0, 3.0),
        (60, 1.0, 15.0),
        (24, 1.0, 3.0),  # Six pixels of the luma picture.
        (240, 0.15, 3.0),  # Dark clothes in the dark.
        (60, 0.3, 3.0),
    ],
)
def test_a_person_anywhere_is_motion_at_once(height: int, contrast: float, noise: float) -> None:
    camera = Camera(noise=noise)
    empty = taught(camera)
    places = np.random.default_rng(5)
    missed = 0
    for _place in range(20):
        motion = deepcopy(empty)
        left = int(places.integers(0, WIDTH - max(3, height // 3)))
        top = int(places.integers(0, max(1, HEIGHT - height)))
        scene = figure(ROOM, left=left, top=top, height=height, contrast=contrast)
        missed += not motion.moved(camera.shoot(scene), camera.at).moved
    assert missed <= 1


@pytest.mark.parametrize(
    ("left", "top"),
    [
        (-115, 80),  # A shoulder on the left.
        (WIDTH - 22, 60),
        (250, HEIGHT - 30),  # The top of a head at the lower edge.
        (30, HEIGHT - 30),
        (-70, HEIGHT - 60),
    ],
)
def test_a_person_entering_at_an_edge_is_motion(left: int, top: int) -> None:
    camera = Camera()
    motion = taught(camera)
    scene = figure(ROOM, left=left, top=top, height=380)
    assert motion.moved(camera.shoot(scene), camera.at).moved


def test_a_person_is_motion_while_the_light_changes() -> None:
    camera = Camera()
    motion = taught(camera)
    scene = figure(ROOM, left=300, top=200, height=100) * 0.7
    assert motion.moved(camera.shoot(scene), camera.at).moved


def test_a_covered_lens_and_a_light_switched_off_are_motion() -> None:
    camera = Camera()
    motion = taught(camera)
    for scene in (np.full_like(ROOM, 20), np.full_like(ROOM, 128)):
        assert motion.moved(camera.shoot(scene), camera.at).moved


def test_a_person_who_stands_still_stays_motion() -> None:
    """Unless somebody says that what moved is nobody, the scene is not made of it."""
    camera = Camera()
    motion = taught(camera)
    scene = figure(ROOM, left=200, top=150, height=150)
    assert all(motion.moved(camera.shoot(scene), camera.at).moved for _frame in range(150))


def test_it_says_where_something_moved() -> None:
    camera = Camera()
    motion = taught(camera)
    scene = figure(figure(ROOM, left=80, top=100, height=160), left=500, top=350, height=60)
    result = motion.moved(camera.shoot(scene), camera.at)
    assert result.is_known
    larger, smaller = result.regions
    assert_around(larger, (80, 100, 133, 260))
    assert_around(smaller, (500, 350, 520, 410))


def assert_around(region: Region, box: tuple[int, int, int, int]) -> None:
    """The region holds the box, and not much more."""
    margin = 60
    left, top, right, bottom = (v * s for v, s in zip(region, (WIDTH, HEIGHT, WIDTH, HEIGHT), strict=True))
    assert box[0] - margin <= left <= box[0] + 8
    assert box[1] - margin <= top <= box[1] + 8
    assert box[2] - 8 <= right <= box[2] + margin
    assert box[3] - 8 <= bottom <= box[3] + margin


# --- What is not known ---


def test_it_does_not_know_until_it_has_learned() -> None:
    camera, motion = Camera(), Motion()
    for _frame in range(LEARNING_FRAMES):
        assert motion.moved(camera.shoot(ROOM), camera.at) == MotionResult(moved=True, is_known=False)
        motion.accept()
    assert motion.moved(camera.shoot(ROOM), camera.at) == MotionResult(moved=False, is_known=True)


def test_it_learns_only_from_what_holds_nobody() -> None:
    camera, motion = Camera(), Motion()
    for _frame in range(50):
        assert not motion.moved(camera.shoot(ROOM), camera.at).is_known


@pytest.mark.parametrize("pause_s", [30.0, -5.0])
def test_after_a_gap_in_time_it_does_not_know_once(pause_s: float) -> None:
    camera = Camera()
    motion = taught(camera)
    camera.at += pause_s
    first = motion.moved(camera.shoot(ROOM), camera.at)
    assert first == MotionResult(moved=True, is_known=False)
    assert not motion.moved(camera.shoot(ROOM), camera.at).moved


def test_after_a_gap_it_still_says_where_the_scene_differs() -> None:
    camera = Camera()
    motion = taught(camera)
    camera.at += 120
    scene = figure(ROOM, left=80, top=100, height=160)
    result = motion.moved(camera.shoot(scene), camera.at)
    assert not result.is_known
    assert_around(result.regions[0], (80, 100, 133, 260))


@pytest.mark.parametrize(
    "shot",
    [
        lambda camera: (camera.shoot(ROOM), camera.at + 3_600),  # An hour later.
        lambda camera: (camera.shoot(ROOM)[:80], camera.at),  # Another size of picture.
    ],
    ids=["long_after", "resized"],
)
def test_it_begins_again(shot: Callable[[Camera], tuple[np.ndarray, float]]) -> None:
    camera = Camera()
    motion = taught(camera)
    luma, at = shot(camera)
    for frame in range(LEARNING_FRAMES):
        assert not motion.moved(luma, at + frame * STEP_S).is_known
        motion.accept()
    assert not motion.moved(luma, at + 3).moved


# --- What it gets used to ---


def test_a_chair_that_was_moved_becomes_the_scene_when_nobody_is_found_in_it() -> None:
    camera = Camera()
    motion = taught(camera)
    chair = ROOM.copy()
    chair[300:400, 200:260] -= 45
    results = watch(motion, camera, lambda n: chair, 100)
    assert all(results[:5])
    assert not any(results[75:])


def test_what_always_moves_wears_off_and_a_person_before_it_does_not() -> None:
    camera = Camera()
    motion = taught(camera)
    rng = np.random.default_rng(9)

    def leaves(number: int) -> np.ndarray:
        scene = ROOM.copy()
        scene[60:160, 60:160] += cv2.GaussianBlur(rng.normal(0, 60, (100, 100)), (0, 0), 4) * 1.2
        return scene

    results = watch(motion, camera, leaves, 200)
    assert sum(results[-50:]) < 0.4 * sum(results[:50])
    scene = figure(leaves(0), left=80, top=40, height=150)
    assert motion.moved(camera.shoot(scene), camera.at).moved


def test_one_missed_person_does_not_blind_the_place() -> None:
    camera = Camera()
    motion = taught(camera)
    for _frame in range(4):
        assert motion.moved(camera.shoot(figure(ROOM, left=200, top=250, height=50)), camera.at).moved
        motion.accept()
    for _frame in range(10):
        motion.moved(camera.shoot(ROOM), camera.at)
        motion.accept()
    faint = figure(ROOM, left=200, top=250, height=50, contrast=0.5)
    assert motion.moved(camera.shoot(faint), camera.at).moved


def test_no_restlessness_hides_what_is_plain() -> None:
    camera = Camera()
    motion = taught(camera)
    rng = np.random.default_rng(4)

    def screen(number: int) -> np.ndarray:
        scene = ROOM.copy()
        scene[60:160, 60:160] = rng.integers(0, 2, (10, 10)).repeat(10, axis=0).repeat(10, axis=1) * 200
        return scene

    watch(motion, camera, screen, 300)
    watch(motion, camera, lambda number: ROOM, 20)
    assert motion.moved(camera.shoot(figure(ROOM, left=100, top=70, height=70)), camera.at).moved


def test_ignored_parts_never_move() -> None:
    camera = Camera()
    first = int(0.86 * WIDTH)  # In the middle of a JPEG block.
    strip = (first / WIDTH, 0.0, 1.0, 1.0)
    plain, ignoring = taught(camera), taught(camera, motion=Motion(ignored=(strip,)))
    rng = np.random.default_rng(2)

    def clock() -> np.ndarray:
        scene = ROOM.copy()
        scene[:, first:] = rng.integers(0, 2, (12, 4)).repeat(40, axis=0).repeat(23, axis=1)[:, : WIDTH - first] * 255
        return scene

    assert plain.moved(camera.shoot(clock()), camera.at).moved
    assert not any(ignoring.moved(camera.shoot(clock()), camera.at).moved for _frame in range(20))
    scene = figure(clock(), left=300, top=200, height=100)
    assert ignoring.moved(camera.shoot(scene), camera.at).moved


@pytest.mark.parametrize("shape", [(1, 1), (3, 160), (160, 3), (9, 9), (90, 160), (121, 157)])
def test_any_shape_of_picture_is_judged(shape: tuple[int, int]) -> None:
    motion = Motion()
    for frame in range(LEARNING_FRAMES + 3):
        if motion.moved(np.full(shape, 90, np.uint8), frame * STEP_S).moved:
            motion.accept()
    assert not motion.moved(np.full(shape, 95, np.uint8), 99 * STEP_S).regions


def test_a_quiet_picture_costs_little() -> None:
    camera = Camera()
    motion = taught(camera)
    pictures = [camera.shoot(ROOM) for _frame in range(20)]
    began = time.process_time()
    for frame in range(200):
        motion.moved(pictures[frame % 20], camera.at + frame * STEP_S)
    assert (time.process_time() - began) / 200 < 0.001  # It takes 0.13 ms; a busy machine may be slower.


def test_in_a_real_room_people_move_and_emptiness_does_not(test_data: Path) -> None:
    """Two of the visits of the clip, with 15 frames of grace after the first for doors, shadows and the exposure."""
    clip = cv2.VideoCapture(str(test_data / "videos" / "one-by-one-person-detection.mp4"))
    motion, moved = Motion(), []
    for frame in range(300):
        picture = cv2.resize(clip.read()[1], (640, 360), interpolation=cv2.INTER_AREA)
        result = motion.moved(images.decode_luma(images.encode_jpeg(picture, quality=80), 160), frame / 10)
        moved.append(result.moved)
        if result.moved and not (57 <= frame <= 201 or frame >= 224):
            motion.accept()
    clip.release()
    assert not any(moved[LEARNING_FRAMES:55])
    assert sum(moved[213:224]) == 0
    assert all(moved[60:198])
    assert all(moved[227:300])
