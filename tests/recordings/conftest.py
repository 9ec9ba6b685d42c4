"""Fixtures of the recordings' tests."""

from __future__ import annotations

import pytest

from recordings import reserve


@pytest.fixture(autouse=True)
def small_reserve(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has a data folder of its own; eight megabytes in each would be many."""
    monkeypatch.setattr(reserve, "BYTES", 100_000)
