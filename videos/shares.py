"""Percentages of counts, as a lesson's result shows them. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def percents(counts: Sequence[int]) -> list[int]:
    """Whole ones that add up to 100, by largest remainders: what is lost by rounding down goes to who lost the most."""
    total = sum(counts)
    if not total:
        return [0] * len(counts)
    whole = [100 * count // total for count in counts]
    losers = sorted(range(len(counts)), key=lambda place: -(100 * counts[place] % total))
    for place in losers[: 100 - sum(whole)]:
        whole[place] += 1
    return whole
