"""The figures for people, as a table, and for programs, as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omil.bench.figures import AIMS, Aim


def lines(figures: dict[str, Any]) -> Iterator[str]:
    """One line per figure, with what it should be where there is an aim."""
    aims = {aim.key: aim for aim in AIMS}
    rows = [(f"{group}.{name}", value) for group, name, value in _flat(figures)]
    width = max(len(key) for key, _value in rows)
    for key, value in rows:
        yield f"{key:<{width}}  {_text(value):>10}  {_verdict(aims.get(key), value)}".rstrip()


def _flat(figures: dict[str, Any]) -> Iterator[tuple[str, str, float]]:
    for group, values in figures.items():
        if group != "machine" and isinstance(values, dict):
            for name, value in values.items():
                yield group, name, value


def _text(value: float) -> str:
    return f"{value:d}" if isinstance(value, int) else f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def _verdict(aim: Aim | None, value: float) -> str:
    return "" if aim is None else f"aim {aim}: {'met' if aim.is_met(value) else 'MISSED'}"


def machine_line(machine: dict[str, Any]) -> str:
    flags = " ".join(machine["flags"]) or "no flags that matter"
    return f"{machine['cpu']}, {machine['cores']} cores ({flags}); load {machine['load_1m']}; {machine['detector']}"


def write(path: Path, figures: dict[str, Any]) -> None:
    """Replaced whole: a reader sees the last run's figures or this one's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".tmp")
    fresh.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    fresh.replace(path)
