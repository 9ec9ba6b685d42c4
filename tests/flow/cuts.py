"""Rules of recording by which each person of one-by-one-person-detection has a clip of their own, and what is cut."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.flow.play import unix
from tests.product import Product

KEPT_S = 1.0  # Before and after.
EDGE_S = 1.0
ENV = {"OMIL_RECORD_STOP_AFTER_S": "2.5", "OMIL_RECORD_BEFORE_S": f"{KEPT_S}", "OMIL_RECORD_AFTER_S": f"{KEPT_S}"}


@dataclass(frozen=True, slots=True)
class Clip:
    start: float
    end: float
    state: str


def clips_of(product: Product, camera_id: int) -> list[Clip]:
    rows = product.query(
        'SELECT start, "end", state FROM recordings_recording WHERE camera_id = ? ORDER BY start', camera_id
    )
    return [Clip(unix(start), unix(end), state) for start, end, state in rows]


def check(clips: list[tuple[float, float]], people: list[tuple[float, float]]) -> None:
    """One clip for each person's time, from whatever source the pictures came."""
    assert len(clips) == len(people), clips
    for (start, end), (comes, goes) in zip(clips, people, strict=True):
        assert start == pytest.approx(comes - KEPT_S, abs=EDGE_S)
        assert end == pytest.approx(goes + KEPT_S, abs=EDGE_S)
