from __future__ import annotations

import pytest

from videos.shares import percents


@pytest.mark.parametrize(
    ("counts", "shares"),
    [
        ((0, 0, 0), [0, 0, 0]),
        ((0, 0, 7), [0, 0, 100]),
        ((370, 10, 18), [93, 2, 5]),  # 92.96, 2.51 and 4.52: each rounded by itself, 93, 3 and 5.
        ((1, 1, 1), [34, 33, 33]),
        ((1, 1, 0), [50, 50, 0]),
        ((1, 999, 0), [0, 100, 0]),
    ],
)
def test_the_shares_add_up(counts: tuple[int, ...], shares: list[int]) -> None:
    assert percents(counts) == shares
    assert sum(shares) == (100 if any(counts) else 0)
