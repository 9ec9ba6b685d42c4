"""How many quiet pictures one web process takes in: fifty sockets, each sending as fast as its credit allows."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import psutil

from omil.bench import clips
from omil.bench.figures import median, percentile
from omil.bench.side import BenchError, Side
from omil.bench.workplace import Workplace

SOCKETS = 50
CROWDS = 2  # Processes that the sockets are spread over.
ROUND_S = 4.0
WARM_UP_S = 2.0
QUIET_WITHIN_S = 60.0
QUIET = 0.95  # Share of refused frames from which on the gates know their scene.


def measure(rounds: int, say: Callable[[str], None]) -> dict[str, float]:
    with Workplace() as place:
        pictures = clips.store(place.folder / "empty", clips.empty_room())
        place.start_product()
        cameras = place.side("clerk").run(cameras=SOCKETS)["cameras"]
        crowds = [
            place.side("crowd", str(place.port), json.dumps(cameras[number::CROWDS]), pictures)
            for number in range(CROWDS)
        ]
        web = web_process(place.started.pid)
        settle(crowds)
        taken = []
        for number in range(1, rounds + 1):
            taken.append(play(crowds, ROUND_S, web))
            say(f"ingest, round {number}: {rate(taken[-1]):.0f}/s, {dict(taken[-1]['verdicts'])}")
        return figures(taken)


def web_process(supervisor_pid: int) -> psutil.Process:
    for child in psutil.Process(supervisor_pid).children():
        if "web" in child.cmdline()[1:]:
            return child
    raise BenchError("There is no web process.")


def settle(crowds: list[Side]) -> None:
    """Until the gates know what their empty rooms look like."""
    deadline = time.monotonic() + QUIET_WITHIN_S
    play(crowds, 0, introduce=True)
    while quiet_share(report := play(crowds, WARM_UP_S)) < QUIET:
        if time.monotonic() > deadline:
            raise BenchError(f"The empty room is not quiet: {dict(report['verdicts'])} after {QUIET_WITHIN_S:g} s.")


def play(
    crowds: list[Side], seconds: float, web: psutil.Process | None = None, *, introduce: bool = False
) -> dict[str, Any]:
    """All crowds at once; what they report together."""
    began_s = cpu_s(web)
    for crowd in crowds:
        crowd.ask(seconds=seconds, introduce=introduce)
    reports = [crowd.answer() for crowd in crowds]
    return {
        "seconds": max(report["seconds"] for report in reports),
        "verdicts": sum((Counter(report["verdicts"]) for report in reports), Counter()),
        "ack_s": [value for report in reports for value in report["ack_s"]],
        "client_cpu": max(report["cpu_s"] / report["seconds"] for report in reports),
        "web_cpu_s": cpu_s(web) - began_s,
    }


def cpu_s(process: psutil.Process | None) -> float:
    if process is None:
        return 0.0
    times = process.cpu_times()
    return float(times.user + times.system)


def accepted(report: dict[str, Any]) -> int:
    """Frames that were written and judged; what was refused as busy or invalid does not count."""
    return sum(count for verdict, count in report["verdicts"].items() if verdict not in ("busy", "invalid"))


def quiet_share(report: dict[str, Any]) -> float:
    refused = report["verdicts"]["no_motion"] + report["verdicts"]["no_person"]
    return float(refused / max(1, sum(report["verdicts"].values())))


def rate(report: dict[str, Any]) -> float:
    return float(accepted(report) / report["seconds"])


def figures(taken: list[dict[str, Any]]) -> dict[str, float]:
    return {
        "frames_per_s": median([rate(each) for each in taken], 1),
        "ack_p95_ms": median([1_000 * percentile(each["ack_s"], 95) for each in taken], 1),
        "ack_p50_ms": median([1_000 * percentile(each["ack_s"], 50) for each in taken], 1),
        "quiet_share": median([quiet_share(each) for each in taken]),
        "web_cpu_ms_per_frame": median([1_000 * each["web_cpu_s"] / accepted(each) for each in taken]),
        "busiest_client_cpu": median([each["client_cpu"] for each in taken], 2),
        "sockets": SOCKETS,
    }
