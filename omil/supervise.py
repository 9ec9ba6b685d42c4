"""Keeps the product's processes running: `manage.py start` says which, this starts, restarts and stops them.

Why these lines and no package: docs/decisions/0001-supervisor.md. Knows no Django.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
STEADY_S = 10.0  # A process that lived so long is no crash loop.
DELAYS_S = (0.0, 0.0, 0.5, 1.0, 2.0, 5.0)  # By the number of quick deaths before; the last holds for ever.
STOP_S = 6.0  # Between the request to stop and the kill,
BASE_STOP_S = 2.0  # and for what the others need, which is asked once they have ended.
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# The kernel kills a child whose supervisor died, also by kill -9.
BOUND_TO_US = ("setpriv", "--pdeathsig", "KILL", "--")


@dataclass(frozen=True, slots=True)
class Program:
    """One process to keep running; those after it in the list start once it is ready."""

    name: str
    argv: tuple[str, ...]
    is_ready: Callable[[], bool] = lambda: True
    is_base: bool = False  # The others need it to the end: it stops last.


def read_procfile(path: Path) -> dict[str, tuple[str, ...]]:
    """The command of each name; blank lines and # comments are left out."""
    commands: dict[str, tuple[str, ...]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            name, colon, command = line.partition(":")
            if not colon or not command.strip():
                raise ValueError(f"{path}: expected 'name: command', found {line!r}.")
            commands[name.strip()] = tuple(shlex.split(command))
    return commands


def choose(
    commands: Mapping[str, tuple[str, ...]],
    counts: Mapping[str, int],
    ready: Mapping[str, Callable[[], bool]] | None = None,
    base: Collection[str] = (),
) -> list[Program]:
    """The programs to run, as often as counts says, in the Procfile's order; unnamed ones run once.

    `ready` tells of some when those after them may start; those in `base` stop last.
    """
    ready = ready or {}
    return [
        Program(
            name if counts.get(name, 1) == 1 else f"{name}.{n}",
            argv,
            is_ready=ready.get(name, lambda: True),
            is_base=name in base,
        )
        for name, argv in commands.items()
        for n in range(1, counts.get(name, 1) + 1)
    ]


def delay_s(quick_deaths: int) -> float:
    """How long to wait before the next start after so many deaths in a row within STEADY_S."""
    return DELAYS_S[min(quick_deaths, len(DELAYS_S) - 1)]


class Printer:
    """Writes lines on a thread of its own, so that a stuck terminal or a full pipe never stops the supervisor."""

    def __init__(self, out: TextIO) -> None:
        self.out = out
        self.left_out = 0
        self._lines: queue.Queue[str | None] = queue.Queue(maxsize=5_000)
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def say(self, line: str) -> None:
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self.left_out += 1

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            if self.left_out:
                line, self.left_out = f"[{self.left_out} lines were left out]\n{line}", 0
            with contextlib.suppress(OSError, ValueError):  # Nobody reads any more; the processes go on.
                self.out.write(line + "\n")
                self.out.flush()

    def close(self) -> None:
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(None)
        self._thread.join(timeout=1)


class Supervisor:
    """Runs the programs until it is told to stop."""

    def __init__(
        self, programs: Iterable[Program], out: TextIO = sys.stdout, env: Mapping[str, str] = os.environ
    ) -> None:
        self.programs = list(programs)
        self.printer = Printer(out)
        # With an arena for every thread, as glibc has it, processes of many threads keep growing for hours.
        self.env = {"MALLOC_ARENA_MAX": "2", **env, "PYTHONUNBUFFERED": "1"}
        self.is_coloured = out.isatty() and "NO_COLOR" not in env
        self.width = max((len(program.name) for program in self.programs), default=0)
        self.stopping = asyncio.Event()
        self.keepers: dict[str, asyncio.Task[None]] = {}

    async def run(self, announce: Callable[[], Iterable[str]] = tuple) -> None:
        """Starts everything in order, prints what announce says once all are ready, returns when all have stopped."""
        loop = asyncio.get_running_loop()
        for number in STOPPING:
            loop.add_signal_handler(number, self._stop)
        for program in self.programs:
            if self.stopping.is_set():
                break
            self.keepers[program.name] = asyncio.create_task(self.keep(program))
            await self.until_ready(program)
        if not self.stopping.is_set():
            for line in announce():
                self.printer.say(line)
        await asyncio.gather(*self.keepers.values())
        self.printer.say("Stopped.")
        self.printer.close()

    def _stop(self) -> None:
        if not self.stopping.is_set():
            self.printer.say("Stopping: what is under way is brought to its end.")
        self.stopping.set()

    async def until_ready(self, program: Program, timeout_s: float = 20) -> None:
        deadline = time.monotonic() + timeout_s
        while not program.is_ready() and not self.stopping.is_set():
            if time.monotonic() > deadline:
                self.say(program.name, f"is not ready after {timeout_s:g} s; going on without it")
                return
            await asyncio.sleep(0.02)

    async def keep(self, program: Program) -> None:
        """Starts the program again whenever it ends, for ever."""
        quick_deaths = 0
        while not self.stopping.is_set():
            started = time.monotonic()
            ending = await self.run_once(program)
            if self.stopping.is_set():
                return
            quick_deaths = quick_deaths + 1 if time.monotonic() - started < STEADY_S else 0
            wait_s = delay_s(quick_deaths)
            self.say(program.name, f"{ending}; starting it again" + (f" in {wait_s:g} s" if wait_s else ""))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), wait_s)

    async def run_once(self, program: Program) -> str:
        """Runs it to its end, which is the request to stop at the latest; returns how it ended."""
        try:
            process = await asyncio.create_subprocess_exec(
                *BOUND_TO_US,
                *program.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=self.env,
                # Ctrl-C reaches the supervisor alone, which stops the rest in its own way. A session each would do that
                # too, but Linux shares the processor out by session, and niceness says nothing between two of them.
                process_group=0,
            )
        except OSError as error:
            return f"could not be started ({error})"
        reader = asyncio.create_task(self.relay(program.name, process))
        ended = asyncio.create_task(process.wait())
        asked = asyncio.create_task(self.is_to_stop(program))
        await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if not ended.done():
            await self.stop(process.pid, ended, BASE_STOP_S if program.is_base else STOP_S)
        signal_group(process.pid, signal.SIGKILL)  # What it started itself goes with it.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reader, 1)  # A runaway grandchild may hold the pipe open.
        code = await ended
        return f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"

    async def is_to_stop(self, program: Program) -> None:
        await self.stopping.wait()
        others = [
            self.keepers[other.name] for other in self.programs if not other.is_base and other.name in self.keepers
        ]
        if program.is_base and others:
            await asyncio.wait(others)

    async def stop(self, pid: int, ended: asyncio.Task[int], limit_s: float) -> None:
        signal_group(pid, signal.SIGTERM)
        if not (await asyncio.wait({ended}, timeout=limit_s))[0]:
            signal_group(pid, signal.SIGKILL)
            await ended

    async def relay(self, name: str, process: asyncio.subprocess.Process) -> None:
        """Prints the process's output line by line; a line without an end comes in pieces."""
        assert process.stdout is not None
        rest = b""
        while chunk := await process.stdout.read(65_536):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > 65_536:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self.say(name, line.decode(errors="replace").rstrip("\r"))
        if rest:
            self.say(name, rest.decode(errors="replace"))

    def say(self, name: str, text: str) -> None:
        prefix = f"{name:<{self.width}} |"
        if self.is_coloured:
            index = next((n for n, program in enumerate(self.programs) if program.name == name), 0)
            prefix = f"\x1b[{COLOURS[index % len(COLOURS)]}m{prefix}\x1b[0m"
        self.printer.say(f"{prefix} {text}")


def signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
