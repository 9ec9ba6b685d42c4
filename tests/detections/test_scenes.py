"""Frames and their boxes: which wait, which are shown, and what comes too late."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from cameras import live
from cameras.frames import Frame
from detections import scenes
from detections.scenes import Scene, Scenes
from tests.build import STREAM, make_frame

OTHER = "f" * 32
WAIT_S = 0.1


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(scenes, "BOXES_WAIT_S", WAIT_S)
    yield
    live._cameras.clear()


class Shown(list[Scene]):
    """What was offered, in words: the frame's number, with a star where it has boxes."""

    def __init__(self) -> None:
        super().__init__()
        self.scenes = Scenes(1, self.append)

    def frame(self, seq: int, *, admitted: bool = True, **changes: Any) -> Frame:
        made = make_frame(seq, **changes)
        live.publish(made, admitted=admitted)
        self.scenes.pictured(made, admitted)
        return made

    def boxes(self, seq: int, stream: str = STREAM, *, visit: str | None = "v") -> None:
        box = {"track": 1, "visit": visit, "xyxy": [0.1, 0.2, 0.3, 0.4], "confidence": 0.9}
        tracks = {"stream": stream, "seq": seq, "captured_at": 1_000.0 + seq, "boxes": [box]}
        visits = [{"id": "v", "first_seen": 1_000.0 - 60}]
        self.scenes.told({"type": "camera.frame", "tracks": tracks, "visits": visits})

    @property
    def words(self) -> str:
        return " ".join(f"{scene.frame.seq}{'*' if scene.marks else ''}" for scene in self)


@pytest.fixture
async def shown() -> Shown:
    return Shown()


async def test_a_refused_frame_is_shown_at_once_and_an_admitted_one_with_its_boxes(shown: Shown) -> None:
    shown.frame(1, admitted=False)
    assert shown.words == "1"
    shown.frame(2)
    assert shown.words == "1"
    shown.boxes(2)
    assert shown.words == "1 2*"
    await asyncio.sleep(2 * WAIT_S)
    assert shown.words == "1 2*"


async def test_boxes_are_waited_for_only_so_long_for_each_frame_by_itself(shown: Shown) -> None:
    for seq in range(1, 5):
        shown.frame(seq)
        await asyncio.sleep(WAIT_S / 20)
    assert shown.words == ""
    await asyncio.sleep(2 * WAIT_S)
    assert shown.words == "1 2 3 4"  # At the full rate, though none has boxes.
    shown.boxes(4)
    assert shown.words == "1 2 3 4"  # Too late: the picture does not go back in time.


async def test_what_is_older_than_what_was_shown_is_left_out(shown: Shown) -> None:
    for seq in (1, 2, 3):
        shown.frame(seq)
    shown.boxes(2)
    shown.boxes(1)
    await asyncio.sleep(2 * WAIT_S)
    assert shown.words == "2* 3"


async def test_boxes_of_another_source_or_of_a_frame_long_gone_are_not_drawn(shown: Shown) -> None:
    shown.frame(7)
    shown.boxes(7, OTHER)
    shown.boxes(6)
    assert shown.words == ""
    await asyncio.sleep(2 * WAIT_S)
    assert shown.words == "7"


async def test_a_source_that_begins_anew_is_followed_and_the_old_one_does_not_come_back(shown: Shown) -> None:
    shown.frame(500)
    shown.frame(1, stream=OTHER, received_at=2_000.0)
    shown.boxes(1, OTHER)
    await asyncio.sleep(2 * WAIT_S)
    assert shown.words == "1*"


async def test_a_box_says_how_long_its_person_has_been_there(shown: Shown) -> None:
    shown.frame(5)
    shown.boxes(5)
    shown.frame(6)
    shown.boxes(6, visit=None)
    (sure,), (unsure,) = (scene.marks for scene in shown)
    assert (sure.label, sure.is_sure, tuple(sure.xyxy)) == ("1:05", True, (0.1, 0.2, 0.3, 0.4))
    assert (unsure.label, unsure.is_sure) == ("", False)


async def test_nothing_is_shown_after_the_end(shown: Shown) -> None:
    shown.frame(1)
    shown.scenes.close()
    await asyncio.sleep(2 * WAIT_S)
    assert shown.words == ""
