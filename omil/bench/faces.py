"""How long it takes to say whose face it is, in a unit that knows a hundred thousand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from omil.bench.figures import median, percentile
from omil.bench.side import BenchError
from omil.bench.workplace import Workplace

KNOWN = 100_000
QUERIES = 100  # Of a round; half of them are known.


def measure(rounds: int, say: Callable[[str], None]) -> dict[str, float]:
    with Workplace() as place:
        place.manage("migrate", "--verbosity", "0")
        place.side("librarian").run(profiles=KNOWN, videos=1)
        recogniser = place.side("recogniser")
        taken = []
        for number in range(1, rounds + 1):
            taken.append(recogniser.run(queries=QUERIES))
            say(f"faces, round {number}: {_ms(taken[-1]['match_s'])} ms")
        return figures(recogniser.about, taken)


def figures(about: dict[str, Any], taken: list[dict[str, Any]]) -> dict[str, float]:
    if wrong := sum(report["wrong"] for report in taken):
        raise BenchError(f"{wrong} faces were taken for somebody else's.")
    return {
        "match_ms": median([_ms(report["match_s"]) for report in taken]),
        "match_p95_ms": median([1_000 * percentile(report["match_s"], 95) for report in taken]),
        "search_ms": median([_ms(report["search_s"]) for report in taken]),
        "first_read_s": round(about["first_read_s"], 2),
        "known": about["known"],
    }


def _ms(seconds: list[float]) -> float:
    return round(1_000 * percentile(seconds, 50), 3)
