"""People made of numbers: vectors whose cosines are chosen, and newcomers that carry them."""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np

from profiles.enrol import Newcomer, Placed, Source, record
from profiles.faces import ARCFACE, Vector, unit

NAME = "numbers"
JPEG = b"\xff\xd8 a face"


def vector(seed: int) -> Vector:
    """Somebody's; two seeds are hardly alike in 128 dimensions."""
    return unit(np.random.default_rng(seed).standard_normal(128))


def like(base: Vector, cosine: float, seed: int = 0) -> Vector:
    """A vector with this cosine to `base`."""
    other = np.random.default_rng(10_000 + seed).standard_normal(128)
    across = unit(other - (other @ base) * base)
    return unit(cosine * base + (1 - cosine**2) ** 0.5 * across)


def newcomer(face: Vector, key: str = "1", **changes: Any) -> Newcomer:
    values: dict[str, Any] = {"key": key, "vector": face, "quality": 0.5, "crop": JPEG, "last_s": 1.0}
    return Newcomer(**{**values, **changes})


def enrol(unit_id: int, video: uuid.UUID, *people: Newcomer) -> list[Placed]:
    return record(unit_id, Source(video, video=video), people, embedder=NAME, recipe=ARCFACE)
