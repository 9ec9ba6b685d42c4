"""The reader as a process: its messages, its return after a fault, its end with ingest, and that nothing leaks."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from cameras.pull import process, wire
from cameras.pull.process import Crashed
from cameras.pull.source import Settings
from cameras.pull.wire import Kind, Message, State
from tests.cameras.pull.server import Camera, Connection, camera
from tests.fakes import numbered_picture

PICTURES = [numbered_picture(number) for number in range(4)]


def settings_for(server: Camera, **changes: object) -> Settings:
    values: dict[str, object] = {"fps": 50, "allow": ("127.0.0.1",), "silent_s": 1.0, "connect_s": 1.0, **changes}
    return Settings(1, server.url("/", user="user:hunter2@"), **values)  # type: ignore[arg-type]


async def until(reader: process.ReaderProcess, state: str, timeout_s: float = 10) -> State:
    async with asyncio.timeout(timeout_s):
        while True:
            message = await reader.next(timeout_s)
            if message.kind is Kind.STATE and wire.unpack_state(message.body).state == state:
                return wire.unpack_state(message.body)


async def picture(reader: process.ReaderProcess, timeout_s: float = 10) -> Message:
    async with asyncio.timeout(timeout_s):
        while (message := await reader.next(timeout_s)).kind is not Kind.FRAME:
            pass
        return message


def test_messages_come_back_as_they_went() -> None:
    packed = wire.pack(Kind.FRAME, b"jpeg", 12.5)
    assert wire.unpack_header(packed[: wire.HEADER.size]) == (Kind.FRAME, 4, 12.5)
    state = State("failed", "dns", "no such host", wants_answers=True)
    assert wire.unpack_state(wire.pack_state(state)[wire.HEADER.size :]) == state


@pytest.mark.parametrize("header", [b"\0" * 13, wire.HEADER.pack(2, wire.MAX_BODY + 1, 0.0)])
def test_nonsense_is_no_message(header: bytes) -> None:
    with pytest.raises(wire.Broken):
        wire.unpack_header(header)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"state": 1}'])
def test_nonsense_is_no_state(body: bytes) -> None:
    with pytest.raises(wire.Broken):
        wire.unpack_state(body)


def test_settings_survive_their_line() -> None:
    settings = Settings(7, "http://a/b", 2.5, masks=(((0.0, 0.5), (1.0, 0.5), (1.0, 1.0)),), allow=("10.0.0.0/8",))
    assert Settings.from_line(settings.to_line()) == settings


async def test_it_gives_pictures_and_is_back_after_the_server_was_killed() -> None:
    with camera(lambda it: it.play(PICTURES)) as server:
        port = server.port
        async with process.started(settings_for(server)) as reader:
            first = await picture(reader)
            assert first.body in PICTURES
            assert abs(first.captured_at - time.time()) < 2
            server.close()
            assert (await until(reader, "failed")).code == "ended"
            assert (await until(reader, "failed")).code == "refused"
            with camera(lambda it: it.play(PICTURES), port=port):
                assert (await picture(reader)).body in PICTURES


async def test_no_password_is_in_its_arguments_its_surroundings_or_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMIL_SECRET_KEY", "the key")
    with camera(lambda it: it.answer("401 Unauthorized")) as server:
        async with process.started(settings_for(server)) as reader:
            failed = await until(reader, "failed")
            child = psutil.Process(reader._process.pid)
            assert "hunter2" not in " ".join(child.cmdline())
            assert "the key" not in child.environ().values()
            assert failed.code == "unauthorized"
            assert "hunter2" not in failed.detail


async def test_its_pace_can_be_changed_while_it_runs() -> None:
    with camera(lambda it: it.play(PICTURES, fps=50)) as server:
        async with process.started(settings_for(server, fps=2)) as reader:
            await picture(reader)
            reader.tell(fps=40)
            await picture(reader)
            began_at = time.monotonic()
            for _each in range(10):
                await picture(reader)
            assert time.monotonic() - began_at < 2


async def test_one_that_is_killed_is_told_as_a_crash() -> None:
    with camera(lambda it: it.be_silent()) as server:
        async with process.started(settings_for(server)) as reader:
            await until(reader, "connecting")
            psutil.Process(reader._process.pid).kill()
            with pytest.raises(Crashed, match="SIGKILL"):
                while True:
                    await reader.next(5)


def test_it_ends_with_whoever_started_it(tmp_path: Path) -> None:
    with camera(lambda it: it.play(PICTURES)) as server:
        child = subprocess.Popen(process.COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=process.ROOT)
        assert child.stdin
        assert child.stdout
        child.stdin.write(settings_for(server).to_line())
        child.stdin.flush()
        assert child.stdout.read(100)
        child.stdin.close()  # As the kernel does when ingest is killed.
        child.wait(3)
        child.stdout.close()


# --- Leaks ---


def test_a_hundred_reconnects_leave_nothing_open() -> None:
    """In one process, as in a reader that runs for months: half of the connections break, others are refused, 404 and
    half pictures."""
    script = """
import json, os, sys, threading
from cameras.pull.reader import Reader
from cameras.pull.source import Control, Settings

class Counter:
    attempts = 0
    measured = {}
    def write(self, data):
        if b'"connecting"' in data:
            Counter.attempts += 1
            if Counter.attempts in (10, 111):
                Counter.measured[Counter.attempts] = (len(os.listdir("/proc/self/fd")), threading.active_count())
            if Counter.attempts == 111:
                control.stopping.set()
    def flush(self): pass

settings = Settings.from_line(sys.stdin.buffer.readline())
control = Control(settings.fps)
reader = Reader(settings, control, Counter())
class Hasty:
    def failed(self, **_):
        return 0.0

reader._backoff = Hasty()
reader.run()
print(json.dumps(Counter.measured))
"""
    answers = iter(range(10_000))

    def misbehave(it: Connection) -> None:
        match next(answers) % 4:
            case 0:
                it.answer("404 Not Found")
            case 1:
                it.stream()
                it.part(PICTURES[0][:500])
            case 2:
                it.answer("302 Found", Location="/elsewhere")
            case 3:
                it.stream()
                it.part(PICTURES[0])

    with camera(misbehave) as server:
        done = subprocess.run(
            [sys.executable, "-c", script],
            input=settings_for(server).to_line(),
            capture_output=True,
            cwd=process.ROOT,
            timeout=60,
            check=True,
        )
    measured = json.loads(done.stdout)
    assert measured["10"] == measured["111"]


async def test_readers_that_end_leave_nothing_open() -> None:
    me = psutil.Process(os.getpid())
    with camera(lambda it: it.answer("404 Not Found")) as server:
        measured = []
        for round_ in range(8):
            async with process.started(settings_for(server)) as reader:
                await until(reader, "failed")
            if round_ in (1, 7):
                await asyncio.sleep(0.05)
                measured.append((me.num_fds(), len([child for child in me.children() if child.is_running()])))
    assert measured[0] == measured[1]
