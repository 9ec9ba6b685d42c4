"""What a camera's way in counts and remembers, beside what tests/flow shows of it as a whole."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from cameras import presence, ring
from cameras.analysis import AnalysisState
from cameras.entries import Entry, Kind
from cameras.intake import REMEMBERED, Intake
from cameras.node import Node
from cameras.presence import Presence
from tests.build import make_frame
from tests.fakes import numbered_picture

RUNNING = AnalysisState(is_down=False, workers=1, frame_s=0.05)


@pytest.fixture
def node() -> Node:
    """Analysis is at work, and the gate goes by motion alone."""
    return Node(lambda: RUNNING, lambda camera_id, *, catching_up: None, lambda: None)


def join(node: Node, camera_id: int) -> Intake:
    node.intakes[camera_id] = Intake(camera_id, node)
    return node.intakes[camera_id]


def admit(intake: Intake, seq: int = 1) -> None:
    now = time.time()
    frame = make_frame(seq, now, camera_id=intake.camera_id, received_at=now, jpeg=numbered_picture(seq))
    assert intake.receive(frame).verdict == "admitted"


def answer(intake: Intake) -> None:
    """Analysis has settled everything in the camera's log."""
    n, now = intake.spool.last_n(), time.time()
    said = Presence(n, now, present=False, last_box_at=0.0, people=0, open_visits=0, catching_up=False, written_at=now)
    presence.write(intake.spool.folder, said)


def test_what_waits_is_forgotten_when_it_is_answered_also_after_the_source_has_gone(node: Node) -> None:
    """Or the frames of a page that was closed would take up the other cameras' share for ever."""
    intake = join(node, 1)
    admit(intake)
    intake.flush()
    assert node.waiting() == (1, 1)
    answer(intake)
    intake.flush()
    assert node.waiting() == (0, 0)


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """They take turns ten thousand times as often as usual."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(5e-7)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("hasty_threads")
def test_counts_from_several_threads_are_all_in_the_log(node: Node) -> None:
    intake, each, done = join(node, 1), 60_000, threading.Event()

    def count() -> None:
        for _ in range(each):
            intake.count_bad(Kind.INVALID, "short_header", now=1_000.0)

    def flush() -> None:
        while not done.is_set():
            intake.flush()

    flusher = threading.Thread(target=flush)
    threads = [threading.Thread(target=count) for _ in range(3)]
    for thread in (flusher, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    flusher.join()
    intake.flush()
    assert sum(entry.size for entry in logged(intake)) == 3 * each


def logged(intake: Intake) -> Iterator[Entry]:
    n = 0
    while batch := intake.spool.after(n):
        yield from batch
        n = batch[-1].n


def test_streams_without_end_are_not_remembered_without_end(node: Node) -> None:
    intake = join(node, 1)
    for number in range(REMEMBERED + 10):
        intake._remember(f"{number:032x}", 5, "no_motion", 1_000.0)
    assert len(intake._last_seq) == REMEMBERED
    assert intake.last_seq(f"{REMEMBERED + 9:032x}") == 5
    assert intake.last_seq(f"{0:032x}") == 0


def test_verdicts_are_remembered_as_long_as_a_frame_may_be_sent_again(node: Node, settings: Settings) -> None:
    intake, longest_s = join(node, 1), settings.CAPTURED_MAX_AGE_S + settings.CAPTURED_MAX_AHEAD_S
    for seq in range(1, 200):
        intake._remember("a" * 32, seq, "no_motion", 1_000.0 + seq)
    assert len(intake._verdicts) == longest_s + 1


def test_a_picture_that_was_held_back_for_longer_than_the_ring_lasts_is_kept(node: Node, settings: Settings) -> None:
    """As after an outage; its age is no reason to refuse it."""
    settings.RING_S = 5
    intake, now = join(node, 1), time.time()
    for seq, age_s in enumerate((50.0, 49.9, 0.0), 1):
        frame = make_frame(seq, now - age_s, camera_id=1, received_at=now, jpeg=numbered_picture(seq))
        assert intake.receive(frame).verdict == "admitted"
        assert intake.ring.folder.joinpath(ring.name_of(frame.stream, frame.seq, frame.captured_at)).exists()
    assert len(list(ring.scan(intake.ring.folder))) == 1
