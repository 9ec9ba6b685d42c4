"""A masked region never appears: not in what comes without its mask, nor in what was held before there was one."""

from __future__ import annotations

import math
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cameras import folders, images, live, masking, masks
from cameras.analysis import AnalysisState
from cameras.frames import Frame
from cameras.intake import Intake
from cameras.masking import burn_held, catch_up
from cameras.node import Node
from cameras.zones import EVERYTHING, NO_MASKS, Masks, Points
from tests.build import make_frame

RUNNING = AnalysisState(is_down=False, workers=1, frame_s=0.0001)
RIGHT: Points = ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0))
TOP: Points = ((0.0, 0.0), (1.0, 0.0), (1.0, 0.25), (0.0, 0.25))
MASKS = Masks(1, (RIGHT,))


def bright(seed: int) -> bytes:
    """A test pattern, bright everywhere, and each time another."""
    noise = np.random.default_rng(seed).integers(0, 40, (30, 40, 3), np.uint8)
    return images.encode_jpeg(np.repeat(np.repeat(noise + 200, 8, 0), 8, 1), 90)


def is_masked(jpeg: bytes) -> bool:
    picture = images.decode_bgr(jpeg)
    left, right = picture[:, :140], picture[:, 162:]
    assert left.mean() > 180, "what is not masked must stay"
    return bool(right.max() < 40)


@pytest.fixture
def node() -> Node:
    return Node(lambda: RUNNING, lambda camera_id, *, catching_up: None, lambda: None)


@pytest.fixture
def intake(node: Node) -> Intake:
    node.intakes[1] = Intake(1, node)
    return node.intakes[1]


def send(intake: Intake, seq: int, *, mask_version: int = 0, now: float | None = None) -> Frame:
    """The frame as viewers get it."""
    now = now or time.time()
    frame = make_frame(seq, now, camera_id=1, received_at=now, jpeg=bright(seq), mask_version=mask_version)
    answer = intake.receive(frame)
    assert answer.verdict == "admitted"
    return answer.kept or frame


def burn_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("masks-")]


def until_burnt() -> None:
    for thread in burn_threads():
        thread.join(20)
    assert not burn_threads()


def pictures(intake: Intake) -> list[Path]:
    return sorted(intake.spool.folder.rglob("*.jpg"))


def link_to_take(intake: Intake, take: str) -> Path:
    folder = intake.spool.folder / "takes" / take / "pictures"
    folder.mkdir(parents=True)
    for picture in (intake.spool.folder / "ring").iterdir():
        os.link(picture, folder / picture.name)
    return folder


def test_a_frame_without_the_mask_is_burnt_before_anybody_sees_it(intake: Intake) -> None:
    masking.write(1, MASKS)
    intake.flush()
    until_burnt()
    kept = send(intake, 1)
    assert is_masked(kept.jpeg)
    assert kept.mask_version == 1
    assert len(pictures(intake)) == 2  # Ring and spool.
    assert all(is_masked(path.read_bytes()) for path in pictures(intake))


def test_a_frame_that_comes_masked_is_kept_as_it_is(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    masking.write(1, MASKS)
    intake.flush()
    until_burnt()
    monkeypatch.setattr(masks, "burn_jpeg", lambda *_: pytest.fail("it was masked already"))
    jpeg = send(intake, 1, mask_version=1).jpeg
    assert jpeg == bright(1)


def test_without_masks_a_frame_is_not_looked_at(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masks, "burn_jpeg", lambda *_: pytest.fail("there is nothing to burn"))
    assert send(intake, 1).jpeg == bright(1)
    assert send(intake, 2, mask_version=7).jpeg == bright(2)  # A page that has not heard yet that its masks went.


def test_a_mask_holds_for_all_that_was_there_before_it(intake: Intake) -> None:
    frames = [send(intake, seq) for seq in range(1, 9)]
    take = link_to_take(intake, "a")
    (intake.spool.folder / "ring" / frames[0].jpeg.hex()[:8]).write_bytes(b"no picture")  # Is left alone.
    assert not any(is_masked(path.read_bytes()) for path in pictures(intake))
    live.publish(frames[-1], admitted=True)
    masking.write(1, MASKS)
    intake.flush()
    assert live.find(1, frames[-1].stream, frames[-1].seq) is None
    assert not intake.guard.holds(frames[-1])  # It would not be published any more.
    until_burnt()
    assert len(pictures(intake)) == 24
    assert all(is_masked(path.read_bytes()) for path in pictures(intake))
    # Links to one picture still are, and so need no more room than before.
    assert {path.stat().st_nlink for path in take.iterdir()} == {3}
    assert masking.done_version(intake.spool.folder) == 1


def test_frames_that_come_while_older_ones_are_burnt_are_masked_and_burnt_once(intake: Intake) -> None:
    for seq in range(1, 30):
        send(intake, seq)
    masking.write(1, MASKS)
    intake.flush()
    kept = [send(intake, seq) for seq in range(30, 40)]
    until_burnt()
    assert len(pictures(intake)) == 2 * 39
    assert all(is_masked(path.read_bytes()) for path in pictures(intake))
    ring = sorted((intake.spool.folder / "ring").iterdir())
    assert [path.read_bytes() for path in ring[-9:]] == [frame.jpeg for frame in kept[-9:]]


def test_a_picture_that_goes_while_it_is_burnt_stays_away(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    for seq in range(1, 5):
        send(intake, seq)
    burn = masks.burn_jpeg

    def slow(jpeg: bytes, polygons: tuple[Points, ...]) -> bytes:
        intake.ring.prune(older_than=time.time() + 60)
        return burn(jpeg, polygons)

    monkeypatch.setattr(masks, "burn_jpeg", slow)
    burn_held(1, MASKS, since=time.time(), disk=intake.ring.disk)
    assert not list((intake.spool.folder / "ring").iterdir())


def test_a_picture_that_cannot_be_burnt_goes(intake: Intake) -> None:
    """Damaged where the gate's quick look did not find it: nobody can tell what is in it."""
    frame = send(intake, 1)
    path = next((intake.spool.folder / "ring").iterdir())
    path.write_bytes(frame.jpeg[: len(frame.jpeg) // 2])
    burn_held(1, MASKS, since=time.time() + 1)
    assert pictures(intake) == []


def test_more_masks_burn_again_and_fewer_do_not(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    send(intake, 1)
    for version, polygons in ((1, (RIGHT,)), (2, (RIGHT, TOP))):
        masking.write(1, Masks(version, polygons))
        intake.flush()
        until_burnt()
    ring = next((intake.spool.folder / "ring").iterdir())
    assert images.decode_bgr(ring.read_bytes())[:50].max() < 40
    monkeypatch.setattr(masks, "burn_jpeg", lambda *_: pytest.fail("nothing is to be burnt"))
    for version, left in ((3, (TOP,)), (4, ())):
        masking.write(1, Masks(version, left))
        intake.flush()
        until_burnt()
        assert masking.done_version(intake.spool.folder) == version
    assert intake.guard.wire_version == 0


def test_a_process_that_was_killed_between_is_caught_up_with_by_the_next(intake: Intake, node: Node) -> None:
    send(intake, 1)
    masking.write(1, MASKS)
    Intake(1, node)
    until_burnt()
    assert all(is_masked(path.read_bytes()) for path in pictures(intake))


def test_where_nobody_receives_the_camera_the_clock_sees_to_it(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    send(intake, 1)
    catch_up(1, 1, lambda: MASKS)  # The admin's process did not get to it.
    assert masking.read(folders.of(1)) == MASKS
    catch_up(1, 1, lambda: pytest.fail("they are known"))
    assert not burn_threads()  # Whoever receives the camera has a few seconds to do it.
    monkeypatch.setattr(masking, "PATIENCE_S", -1.0)
    catch_up(1, 1, lambda: pytest.fail("they are known"))
    until_burnt()
    assert all(is_masked(path.read_bytes()) for path in pictures(intake))
    monkeypatch.setattr(masking, "burn_held", lambda *_args, **_more: pytest.fail("it is done"))
    catch_up(1, 1, lambda: pytest.fail("they are known"))


def test_what_cannot_be_read_hides_everything(intake: Intake) -> None:
    assert masking.read(folders.of(1)) == NO_MASKS
    (folders.of(1) / masking.NAME).write_text('{"version": 3')
    intake.flush()
    assert intake.guard.masks.polygons == (EVERYTHING,)
    assert images.decode_bgr(send(intake, 1).jpeg).max() < 40
    (folders.of(1) / masking.NAME).write_text('{"version": 3, "masks": [[[0, 0], [1, 1], [1, 0], [0, 1]]]}')
    assert masking.read(folders.of(1)) == Masks(3, (EVERYTHING,))


def test_of_two_copies_of_one_picture_the_rings_is_shown(intake: Intake) -> None:
    """What came in just before the mask may still be in memory, where the source then fell silent."""
    # A time between two that the ring can tell apart.
    frame = send(intake, 1, now=math.nextafter(round(time.time(), 6), math.inf))
    masking.write(1, MASKS)
    intake.flush()
    live.publish(replace(frame, received_at=time.time() - 10), admitted=True)  # Too late to be forgotten.
    until_burnt()
    try:
        newest = live.newest(1)
        assert newest
        assert is_masked(newest.jpeg)
    finally:
        live.forget(1)
