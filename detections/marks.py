"""What is drawn on a frame, and in which sizes: read from the messages of analysis. Pure; draws nothing itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from detections.messages import TracksMessage, VisitBody

Size: TypeAlias = tuple[int, int]  # Width, height.

STEP_PX = 32
LEAST_PX, MOST_PX = 64, 1_920
USUAL_SIZE: Size = (960, 640)


@dataclass(frozen=True, slots=True)
class Mark:
    """A person in the picture: corners relative to it, 0 to 1; unsure ones, which are no visit yet, are dashed."""

    xyxy: Sequence[float]
    label: str = ""
    is_sure: bool = True


def is_size(width: int, height: int) -> bool:
    return all(side % STEP_PX == 0 and LEAST_PX <= side <= MOST_PX for side in (width, height))


def marks_of(tracks: TracksMessage, visits: Sequence[VisitBody]) -> tuple[Mark, ...]:
    """Each person with how long he or she had been there when the picture was taken."""
    began = {visit["id"]: visit["first_seen"] for visit in visits}
    return tuple(
        Mark(
            tuple(box["xyxy"]),
            label=duration_text(tracks["captured_at"] - began[box["visit"]]) if box["visit"] in began else "",
            is_sure=box["visit"] is not None,
        )
        for box in tracks["boxes"]
    )


def duration_text(seconds: float) -> str:
    """0:42, 12:03 or 1:02:03, as static/js/lib/texts.js writes it."""
    whole = max(0, int(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
