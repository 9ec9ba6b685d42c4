"""Cameras in ingest: pictures reach gate and log, and faults are told and end by themselves."""

from __future__ import annotations

import os
import signal
import time
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
from pytest_django import Settings

from cameras import folders, node
from cameras.entries import VERDICTS
from cameras.frames import Frame
from cameras.pull import problems
from cameras.pull.problems import Standing
from cameras.spool import Spool
from cameras.zones import Masks
from tests.cameras.pull import streams
from tests.cameras.pull.ingesting import PICTURES, Pulled, wanted
from tests.cameras.pull.server import camera


def readers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "cameras.pull.reader" in " ".join(child.cmdline())]


async def test_pictures_come_into_ring_and_log_in_order(pulled: Pulled) -> None:
    with camera(lambda it: it.play(PICTURES)) as server:
        await pulled.follow(wanted(1, server.url()))
        await pulled.until_pictures(1, 10)
    entries = [entry for entry in Spool(folders.of(1)).after(0) if entry.kind in VERDICTS]
    assert [entry.seq for entry in entries] == sorted({entry.seq for entry in entries})
    assert len({entry.stream for entry in entries}) == 1
    assert {frame.jpeg for frame in pulled.frames} <= set(PICTURES)
    assert not any(frame.is_sound for frame in pulled.frames)
    times = [frame.captured_at for frame in pulled.frames]
    assert times == sorted(times)
    assert 0.05 < (times[-1] - times[0]) / (len(times) - 1) < 0.2
    assert pulled.standing(1).state == "pictures"


async def test_a_camera_that_goes_takes_its_reader_and_its_state_along(pulled: Pulled) -> None:
    with camera(lambda it: it.play(PICTURES)) as server:
        await pulled.follow(wanted(1, server.url()))
        await pulled.until_pictures(1)
        assert len(readers()) == 1
        await pulled.follow()
        assert readers() == []
        assert problems.read(1) is None


async def test_another_address_or_mask_makes_another_reader_and_another_rate_does_not(pulled: Pulled) -> None:
    with camera(lambda it: it.play(PICTURES)) as server, camera(lambda it: it.play(PICTURES)) as other:
        await pulled.follow(wanted(1, server.url()))
        await pulled.until_pictures(1)
        first = readers()[0].pid
        await pulled.follow(wanted(1, server.url(), fps=20))
        await pulled.until_pictures(1)
        assert readers()[0].pid == first
        await pulled.follow(wanted(1, other.url(), fps=20))
        await pulled.until(lambda: other.connections > 0)
        second = readers()[0].pid
        assert second != first
        left = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
        await pulled.follow(wanted(1, other.url(), masks=Masks(1, (left,))))
        await pulled.until(lambda: pulled.frames[-1].mask_version == 1)
        assert readers()[0].pid != second


async def test_a_reader_that_is_killed_is_started_again(pulled: Pulled) -> None:
    with camera(lambda it: it.play(PICTURES)) as server:
        await pulled.follow(wanted(1, server.url()))
        await pulled.until_pictures(1)
        readers()[0].kill()
        assert (await pulled.until_fault(1, "crashed")).detail == "SIGKILL"
        await pulled.until_pictures(1)
        assert pulled.standing(1).state == "pictures"
        assert len({frame.stream for frame in pulled.frames}) == 1


async def test_a_reader_that_is_stuck_is_ended(pulled: Pulled) -> None:
    with camera(lambda it: it.play(PICTURES)) as server:
        await pulled.follow(wanted(1, server.url()))
        await pulled.until_pictures(1)
        os.kill(readers()[0].pid, signal.SIGSTOP)
        assert (await pulled.until_fault(1, "silent")).state == "failed"
        await pulled.until_pictures(1)


async def test_what_is_no_picture_is_said_although_it_is_whole_by_its_ends(pulled: Pulled) -> None:
    broken = PICTURES[0][:600] + b"\xff\x00\xff\xc5" + PICTURES[0][600:]
    with camera(lambda it: it.play([broken])) as server:
        await pulled.follow(wanted(1, server.url()))
        assert (await pulled.until_fault(1, "not_a_picture")).state == "failed"
        server.handler = lambda it: it.play(PICTURES)


async def test_the_time_of_a_fault_stands_while_it_lasts(pulled: Pulled) -> None:
    with camera(lambda it: it.answer("404 Not Found")) as server:
        await pulled.follow(wanted(1, server.url()))
        since = (await pulled.until_fault(1, "not_found")).since
        connections = server.connections
        await pulled.until(lambda: server.connections > connections + 1)
        assert pulled.standing(1).since == since


async def test_the_time_of_a_fault_outlives_ingest(pulled: Pulled) -> None:
    long_ago = 1_700_000_000.0
    problems.write(1, Standing("failed", "refused", "", long_ago))
    problems.write(2, Standing("failed", "refused", "", long_ago))  # Of a camera that is pulled no more.
    with camera(lambda it: it.answer("404 Not Found")) as server:
        async with pulled.running(wanted(1, server.url())):
            assert (await pulled.until_fault(1, "not_found")).since == long_ago
        assert problems.read(2) is None
        assert pulled.standing(1).since == long_ago
        problems.write(1, Standing("failed", "dns", "", long_ago))
        async with pulled.running(wanted(1, server.url())):
            assert (await pulled.until_fault(1, "not_found")).since == long_ago
            server.handler = lambda it: it.play(PICTURES)
            await pulled.until_pictures(1)
            server.handler = lambda it: it.answer("404 Not Found")
            server.drop()
            assert time.time() - (await pulled.until_fault(1, "not_found")).since < 30
            server.handler = lambda it: it.play(PICTURES)
            await pulled.until_pictures(1)
        assert problems.read(1) is None, "nobody pulls it now"


async def test_the_newest_picture_wins_when_the_gate_is_slow(pulled: Pulled, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = node.Receiver.judge

    def slowly(self: node.Receiver, frame: Frame, slug: str) -> node.Answer:
        time.sleep(0.4)
        return judge(self, frame, slug)

    monkeypatch.setattr(node.Receiver, "judge", slowly)
    with camera(lambda it: it.play(PICTURES)) as server:
        await pulled.follow(wanted(1, server.url(), fps=25))
        await pulled.until_pictures(1, 5)
    lags = [later.received_at - earlier.received_at for earlier, later in pairwise(pulled.frames)]
    assert min(lags) > 0.3  # Those between were replaced, and none waits for longer than one takes.
    assert time.time() - pulled.frames[-1].received_at < 1.5


async def test_a_file_that_was_played_has_ended_and_nothing_is_wrong_with_it(
    pulled: Pulled, settings: Settings, tmp_path: Path
) -> None:
    settings.FILES_DIR = tmp_path
    streams.encode(tmp_path / "gate.mp4", *streams.pattern(), seconds=1, group=25)
    await pulled.follow(wanted(1, "file:gate.mp4"))
    await pulled.until(lambda: pulled.standing(1).state == "ended")
    assert pulled.frames
    assert all(frame.is_sound for frame in pulled.frames), "Omil encoded them"
    assert pulled.standing(1).sentence == ""
