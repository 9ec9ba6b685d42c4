"""One side of a comparison: a process of its own, asked for a round at a time, so that sides can take turns."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omil.supervise import BOUND_TO_US

LIMIT_S = 300.0  # Of one answer; a model may have to be loaded first.
STOP_S = 5.0


class BenchError(Exception):
    """Something cannot be measured; the text says why and what to do."""


class Side:
    """Started at once; `about` is what it says of itself when it is warm."""

    def __init__(self, name: str, *arguments: str, env: Mapping[str, str], folder: Path, log: Path) -> None:
        self.name = name
        self._log = log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(  # noqa: S603 (our own module)
                [*BOUND_TO_US, sys.executable, "-m", "omil.bench.sides", name, *arguments],
                cwd=folder,
                env=dict(env),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._about: dict[str, Any] | None = None

    @property
    def about(self) -> dict[str, Any]:
        """Waits until the side is warm."""
        if self._about is None:
            self._about = self.answer()
        return self._about

    @property
    def pid(self) -> int:
        return self._process.pid

    def run(self, **question: Any) -> dict[str, Any]:
        """One round. Raises BenchError when the side does not answer."""
        self.ask(**question)
        return self.answer()

    def ask(self, **question: Any) -> None:
        assert self.about is not None
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise BenchError(self._failure("has ended")) from None

    def answer(self) -> dict[str, Any]:
        assert self._process.stdout
        if not select.select([self._process.stdout], [], [], LIMIT_S)[0]:
            raise BenchError(self._failure(f"did not answer within {LIMIT_S:g} s"))
        line = self._process.stdout.readline()
        if not line:
            self._process.wait(STOP_S)
            raise BenchError(self._failure(f"ended with code {self._process.returncode}"))
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _failure(self, what: str) -> str:
        tail = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-15:]
        return "\n".join([f"The process measuring {self.name} {what}.", *tail])

    def close(self) -> None:
        """Its input ends, and with it the process."""
        assert self._process.stdin
        assert self._process.stdout
        try:
            self._process.stdin.close()
            self._process.wait(STOP_S)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait(STOP_S)
        self._process.stdout.close()
