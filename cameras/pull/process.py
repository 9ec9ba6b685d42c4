"""One reader as ingest sees it: a child process, its messages, and its end, which leaves nothing open."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from cameras.pull import wire
from cameras.pull.source import Settings
from cameras.pull.wire import Message

logger = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parent.parent.parent
COMMAND = (sys.executable, "-m", "cameras.pull.reader")
# What a reader may know of this process's surroundings: no keys, no database.
PASSED_ON = {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"}
MOST_LINES = 20  # Of what a reader prints, in the log; libraries complain about every damaged picture.


class Crashed(Exception):
    """The reader ended by itself, which it never does; the text says how."""


class Stuck(Exception):
    """The reader says nothing at all."""


class ReaderProcess:
    """A running reader."""

    def __init__(self, process: Process, settings: Settings) -> None:
        assert process.stdin
        assert process.stdout
        self._process = process
        self._in = process.stdin
        self._out = process.stdout
        self._settings = settings

    async def next(self, timeout_s: float) -> Message:
        """The next message. Raises Stuck, Crashed and wire.Broken."""
        try:
            async with asyncio.timeout(timeout_s):
                kind, length, captured_at = wire.unpack_header(await self._out.readexactly(wire.HEADER.size))
                return Message(kind, captured_at, await self._out.readexactly(length))
        except TimeoutError:
            raise Stuck(f"no word for {timeout_s:g} s") from None
        except asyncio.IncompleteReadError:
            raise Crashed(_words_for(await self._process.wait())) from None

    def tell(self, **what: object) -> None:
        """Changes its pace, or answers a picture; lost where it has ended."""
        with suppress(OSError, RuntimeError):
            if not self._in.is_closing():
                self._in.write(json.dumps(what).encode() + b"\n")

    async def log(self) -> None:
        """Passes on what it prints, but not all that a library prints."""
        assert self._process.stderr
        said = 0
        while line := await _line(self._process.stderr):
            said += 1
            if said <= MOST_LINES:
                logger.info("camera %d: %s", self._settings.camera_id, line.decode("utf-8", "replace").strip()[:300])

    async def end(self) -> None:
        """Kills it: it holds nothing that would have to be saved."""
        self._in.close()
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


async def _line(stream: asyncio.StreamReader) -> bytes:
    try:
        return await stream.readline()
    except ValueError:  # Longer than the reader's limit, and already thrown away.
        return b"(a very long line)\n"


@asynccontextmanager
async def started(settings: Settings) -> AsyncIterator[ReaderProcess]:
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name in PASSED_ON},
        process_group=0,  # Ctrl-C is for ingest, which ends it; why no session: omil/supervise.
    )
    reader = ReaderProcess(process, settings)
    logging_ = asyncio.create_task(reader.log())
    try:
        assert process.stdin
        process.stdin.write(settings.to_line())
        yield reader
    finally:
        await reader.end()
        logging_.cancel()
        with suppress(asyncio.CancelledError):
            await logging_


def _words_for(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
