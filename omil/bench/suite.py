"""One run of the benchmark: prepares the model, measures the parts asked for, reports; called by `manage.py bench`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from django.conf import settings

from omil.bench import clips, machine, report
from omil.bench.side import BenchError
from omil.bench.workplace import environment

LATEST = "latest.json"
Say = Callable[[str], None]


def run(parts: Sequence[str], *, rounds: int, say: Say) -> dict[str, Any]:
    """Raises BenchError where something is missing or does not work; figures are written only when all are there."""
    clips.data()
    detector = prepare_model()
    described = machine.describe(detector)
    say(report.machine_line(described))
    figures: dict[str, Any] = {}
    for part in parts:
        figures[part] = import_module(f"omil.bench.{part}").measure(rounds, say)
    described["load_1m_after"] = machine.load()
    figures |= {"machine": described, "rounds": rounds}
    path = settings.DATA_DIR / "bench" / LATEST
    report.write(path, figures)
    say("")
    for line in report.lines(figures):
        say(line)
    say(f"Written to {path}")
    return figures


def prepare_model() -> str:
    """Exports the model where that has not been done; returns how analysis names what serves it."""
    command = [sys.executable, "manage.py", "prepare_models", "--offline"]
    env = environment() | {"OMIL_DATA_DIR": str(settings.DATA_DIR)}
    done = subprocess.run(  # noqa: S603 (our own command)
        command, cwd=settings.BASE_DIR, env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BenchError(done.stderr.strip() or done.stdout.strip())
    named = [line for line in done.stdout.splitlines() if line.startswith("Ready for analysis: ")]
    return named[0].removeprefix("Ready for analysis: ").rpartition(",")[0] if named else ""
