"""The gate's detector as it comes, is replaced by a better one and stays when none can be loaded."""

from __future__ import annotations

import time
from functools import partial

import numpy as np
import pytest

from cameras import finder
from cameras.finder import Finder
from cameras.gate import FindPerson
from cameras.images import Picture

PICTURE = np.zeros((8, 8, 3), np.uint8)


def find(sure: float, _picture: Picture) -> float:
    return sure


def test_a_better_model_that_comes_later_is_asked_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finder, "LOOK_EVERY_S", 0.01)
    now: list[FindPerson | None] = [None]

    def load() -> FindPerson | None:
        if not now:
            raise OSError("the disk is away")
        return now[0]

    asked = Finder(load, slots=1)
    asked.start()
    while asked.current() is not None:  # While the first is being loaded, nobody knows that there is none.
        time.sleep(0.005)
    for sure in (0.2, 0.7):
        now[0] = partial(find, sure)
        while asked.current() is None or asked.find(PICTURE) != sure:
            time.sleep(0.005)
    now.clear()
    time.sleep(0.05)
    assert asked.find(PICTURE) == 0.7
    now.append(None)  # Its thread lives on.
