"""`python -m cameras.pull.reader`: one camera's source, read in a process of its own, without Django.

Its settings come as the first line of standard input and not as arguments, which everybody on the machine can read.
More lines tell it to change its pace; the end of standard input, the death of ingest included, ends it. It writes
messages (cameras/pull/wire) to standard output and nothing else there.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from contextlib import suppress
from typing import BinaryIO

from cameras.pull import picture, wire
from cameras.pull.backoff import Backoff
from cameras.pull.source import Connected, Control, Fault, Packets, Picture, Settings, reader_of
from cameras.pull.wire import Kind, State


class Reader:
    """Reads the source again and again until it is told to end."""

    def __init__(self, settings: Settings, control: Control, out: BinaryIO) -> None:
        self.settings = settings
        self.control = control
        self.out = out
        self._backoff = Backoff()
        self._first_at = self._last_at = 0.0

    def run(self) -> None:
        while not self.control.stopping.is_set():
            self._first_at = 0.0
            began_at = self._last_at = time.monotonic()
            fault = self._read_once()
            if fault.code == "ended" and self.settings.source.startswith("file:"):
                self.say(State("ended", fault.code, fault.detail))
                return
            self.say(State("failed", fault.code, fault.detail))
            steady_s = self._last_at - self._first_at if self._first_at else 0.0
            without_s = time.monotonic() - (self._last_at if self._first_at else began_at)
            if not self.control.wait(self._backoff.failed(steady_s=steady_s, without_s=without_s)):
                return

    def _read_once(self) -> Fault:
        """Until the source fails or ends, which is told as a fault too."""
        self.say(State("connecting"))
        try:
            items = reader_of(self.settings.source)(self.settings, self.control)
            for item in items:
                match item:
                    case Connected():
                        self.say(State("connected", item.code, item.detail, item.wants_answers))
                    case Packets():
                        self._send(wire.pack(Kind.PACKETS, item.body, item.captured_at))
                    case Picture():
                        self._pass_on(item)
                if self.control.stopping.is_set():
                    break
        except Fault as fault:
            return fault
        except BrokenPipeError:
            raise
        except Exception as error:
            # Whatever a decoder raises, the camera says so and is read again; the words may hold its address.
            print(f"{type(error).__name__} while reading the source", file=sys.stderr, flush=True)  # noqa: T201
            return Fault("crashed", type(error).__name__)
        return Fault("ended")

    def _pass_on(self, item: Picture) -> None:
        """One damaged picture is left out; nothing but such for a while is a fault."""
        try:
            jpeg = picture.fit(item, self.settings)
        except Fault:
            if time.monotonic() - self._last_at > self.settings.silent_s:
                raise
            return
        self._last_at = time.monotonic()
        self._first_at = self._first_at or self._last_at
        self._send(wire.pack(Kind.MADE if item.is_made else Kind.FRAME, jpeg, item.captured_at))

    def say(self, state: State) -> None:
        self._send(wire.pack_state(state))

    def _send(self, message: bytes) -> None:
        self.out.write(message)
        self.out.flush()


def listen(control: Control, lines: BinaryIO) -> None:
    """Takes in what ingest says. With its end this process ends, also where a decoder is stuck."""
    for line in lines:
        told = json.loads(line)
        if "fps" in told:
            control.fps = float(told["fps"])
        if "is_quiet" in told:
            control.is_quiet = bool(told["is_quiet"])
        if "answered" in told:
            control.answered()
    control.stopping.set()
    time.sleep(0.5)
    os._exit(0)


def main() -> None:
    settings = Settings.from_line(sys.stdin.buffer.readline())
    control = Control(settings.fps)
    threading.Thread(target=listen, args=(control, sys.stdin.buffer), name="listen", daemon=True).start()
    # A library that prints would break the framing: from here on what is printed goes to standard error.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with suppress(BrokenPipeError):
        Reader(settings, control, out).run()
    os._exit(0)  # `listen` waits for standard input, and the interpreter would not end without it.


if __name__ == "__main__":
    main()
