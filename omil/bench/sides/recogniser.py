"""A media worker that asks whose faces it has found, as `enrol.record` does under the unit's lock."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from accounts.models import Unit
from omil.bench.sides.librarian import BATCH, EMBEDDER, profile_id, vectors
from profiles import gallery
from profiles.faces import ARCFACE, unit

NOISE = 0.05  # Per number of a vector: a face of the same person comes to a cosine of about 0.87.
STRANGERS = 10_000_000  # The seed of faces that nobody has.


class Measured:
    """A match is what the database says is new and the search; the first one reads every face."""

    def __init__(self) -> None:
        self.unit_id = Unit.objects.get(name="Bench").pk
        self.random = np.random.default_rng(7)
        began = time.perf_counter()
        known = gallery.known(self.unit_id, EMBEDDER)
        self.about: dict[str, Any] = {"first_read_s": time.perf_counter() - began, "known": len(known.faces)}
        self.run(queries=10)

    def run(self, *, queries: int) -> dict[str, Any]:
        match_s, search_s, wrong = [], [], 0
        enrolled, strangers = vectors(0, BATCH), vectors(STRANGERS, queries)
        for number in range(queries):
            if is_known := number % 2 == 0:
                whose = int(self.random.integers(min(BATCH, self.about["known"])))
                vector = unit(enrolled[whose] + NOISE * self.random.standard_normal(len(enrolled[0])))
            else:
                whose, vector = -1, strangers[number]
            began = time.perf_counter()
            known = gallery.known(self.unit_id, EMBEDDER)
            found_out = time.perf_counter()
            decision = known.decide(vector, ARCFACE)
            ended = time.perf_counter()
            match_s.append(ended - began)
            search_s.append(ended - found_out)
            wrong += (decision.profile == profile_id(whose)) is not is_known or (
                not is_known and decision.verdict == "same"
            )
        return {"match_s": match_s, "search_s": search_s, "wrong": wrong}
