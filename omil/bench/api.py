"""How long a program waits for a hundred profiles with five videos each, and whether it waits longer where many are."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from typing import Any

from omil.bench.figures import median, percentile
from omil.bench.side import BenchError
from omil.bench.workplace import Workplace

FEW, MANY = 100, 100_000  # Profiles that are stored.
VIDEOS = 5  # Of each.
PATH = "/api/profiles?limit=100&expand=appearances"
REQUESTS = 40  # Of a round, to each product.
WARM_UP = 10
ANSWER_S = 30.0
PER_MINUTE = {"OMIL_API_PER_MINUTE": "1000000"}
Round = dict[str, list[float]]


def measure(rounds: int, say: Callable[[str], None]) -> dict[str, float]:
    with Workplace(**PER_MINUTE) as few, Workplace(**PER_MINUTE) as many:
        programs = {"few": _program(few, FEW), "many": _program(many, MANY)}
        for program in programs.values():
            for _request in range(WARM_UP):
                program.ask()
        taken = []
        for number in range(1, rounds + 1):
            taken.append(_round(programs))
            told = ", ".join(f"{name} {1_000 * percentile(taken[-1][name], 50):.1f} ms" for name in programs)
            say(f"api, round {number}: {told}")
        for program in programs.values():
            program.close()
        return figures(taken)


def _round(programs: dict[str, Program]) -> Round:
    """In turns, request by request."""
    taken: Round = {name: [] for name in programs}
    for _request in range(REQUESTS):
        for name, program in programs.items():
            taken[name].append(program.ask())
    return taken


def _program(place: Workplace, profiles: int) -> Program:
    place.manage("migrate", "--verbosity", "0")
    place.side("librarian").run(profiles=profiles, videos=VIDEOS)
    place.start_product()
    return Program(place.port, place.side("clerk").run(cameras=0)["viewer"])


class Program:
    """One connection that is kept open, as a program would."""

    def __init__(self, port: int, cookie: str) -> None:
        self._connection = http.client.HTTPConnection("localhost", port, timeout=ANSWER_S)
        self._headers = {"Cookie": cookie, "Accept": "application/json"}

    def ask(self) -> float:
        """Seconds from the request to the last byte of the answer. Raises BenchError where it is not what was asked."""
        began = time.perf_counter()
        self._connection.request("GET", PATH, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        seconds = time.perf_counter() - began
        if answer.status != http.client.OK:
            raise BenchError(f"{PATH} is answered with {answer.status}: {body[:300]!r}")
        check(json.loads(body))
        return seconds

    def close(self) -> None:
        self._connection.close()


def check(page: dict[str, Any]) -> None:
    seen = [len({one["video"]["id"] for one in item["appearances"]}) for item in page["items"]]
    if seen != [VIDEOS] * FEW:
        raise BenchError(f"Not {FEW} profiles with {VIDEOS} videos each came: {seen}.")


def figures(taken: list[Round]) -> dict[str, float]:
    def ms(name: str) -> float:
        return median([1_000 * percentile(each[name], 50) for each in taken], 2)

    return {
        "profiles_100x5_ms": ms("few"),
        "profiles_100000_ratio": median([percentile(each["many"], 50) / percentile(each["few"], 50) for each in taken]),
        "profiles_100000_ms": ms("many"),
        "profiles_100x5_p95_ms": median([1_000 * percentile(each["few"], 95) for each in taken], 2),
    }
