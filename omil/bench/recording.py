"""What recording costs: processor time beside that of the ffmpeg program, and bytes written per picture and clip."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from omil.bench import clips
from omil.bench.clips import Shot
from omil.bench.figures import median
from omil.bench.side import BenchError, Side
from omil.bench.workplace import Workplace

FPS = 5
FRAMES = 200  # Of a clip: forty seconds.
CLIP_S = 40.0  # Of the clip whose bytes are counted.
SIZES = ((640, 480), (1_280, 720))
Report = dict[str, Any]
Round = dict[str, Report]  # Of each side.


def measure(rounds: int, say: Callable[[str], None]) -> dict[str, float]:
    with Workplace() as place:
        place.manage("migrate", "--verbosity", "0")
        place.start_valkey()
        shots = {size: clips.stays(size)[:FRAMES] for size in SIZES}
        keeper = place.side("keeper", clips.store(place.folder / "keeper", shots[SIZES[0]]))
        pairs = [_pair(place, size, shots[size]) for size in SIZES]
        has_ffmpeg = all(ffmpeg.about["program"] for _encoder, ffmpeg in pairs)
        if not has_ffmpeg:
            say("recording: there is no ffmpeg program to compare with")
        for encoder, ffmpeg in pairs:
            encoder.run()
            if has_ffmpeg:
                ffmpeg.run()
        taken = []
        for number in range(1, rounds + 1):
            taken.append(_round(keeper, pairs, has_ffmpeg=has_ffmpeg))
            say(f"recording, round {number}: " + _said(taken[-1]))
        return figures(taken)


def _pair(place: Workplace, size: tuple[int, int], shots: list[Shot]) -> tuple[Side, Side]:
    pictures = clips.store(place.folder / name_of("pictures", size), shots)
    return place.side("encoder", pictures, str(FPS)), place.side("ffmpeg", pictures, str(FPS))


def name_of(side: str, size: tuple[int, int]) -> str:
    return f"{side}_{size[0]}x{size[1]}"


def _round(keeper: Side, pairs: list[tuple[Side, Side]], *, has_ffmpeg: bool) -> Round:
    taken = {}
    for size, (encoder, ffmpeg) in zip(SIZES, pairs, strict=True):
        taken[name_of("encoder", size)] = encoder.run()
        if has_ffmpeg:
            taken[name_of("ffmpeg", size)] = ffmpeg.run()
    return {**taken, "keeper": keeper.run(seconds=CLIP_S)}


def figures(taken: list[Round]) -> dict[str, float]:
    """Each ratio is the median of the rounds' own ratios; `cpu_ratio` is that of the size that comes off worse."""
    measured: dict[str, float] = {}
    for size in SIZES:
        measured |= {f"{name}{name_of('', size)}": value for name, value in _processor(taken, size).items()}
    if ratios := [value for name, value in measured.items() if name.startswith("cpu_ratio")]:
        measured["cpu_ratio"] = max(ratios)
    return measured | _written([each["keeper"] for each in taken])


def _processor(taken: list[Round], size: tuple[int, int]) -> dict[str, float]:
    ours = [each[name_of("encoder", size)] for each in taken]
    theirs = [each[name] for each in taken if (name := name_of("ffmpeg", size)) in each]
    measured = {
        "cpu_ms_per_frame": median([cpu_ms(report) for report in ours]),
        "finish_share": median([report["finish_cpu_s"] / report["cpu_s"] for report in ours]),
    }
    if theirs:
        pairs = list(zip(ours, theirs, strict=True))
        measured["ffmpeg_cpu_ms_per_frame"] = median([cpu_ms(report) for report in theirs])
        measured["cpu_ratio"] = median([cpu_ms(our) / cpu_ms(their) for our, their in pairs])
        measured["size_ratio"] = median([our["size"] / their["size"] for our, their in pairs])
    return measured


def _written(kept: list[Report]) -> dict[str, float]:
    """`rows` are the recorder's words about the clip to the database."""
    pictures = round(CLIP_S * FPS)
    if lost := [report["frames"] for report in kept if report["frames"] < pictures]:
        raise BenchError(f"A clip holds {lost[0]} of {pictures} pictures.")
    return {
        "picture_writes": median([(report["intake"] + report["recorder"]) / report["received"] for report in kept]),
        "clip_writes": median([(report["rows"] + report["media"]) / report["size"] for report in kept]),
        "clip_bytes_per_frame": median([report["size"] / report["frames"] for report in kept], 0),
    }


def cpu_ms(report: Report) -> float:
    return float(1_000 * report["cpu_s"] / report["frames"])


def _said(taken: Round) -> str:
    return ", ".join(f"{side} {cpu_ms(report):.2f} ms" for side, report in taken.items() if "cpu_s" in report)
