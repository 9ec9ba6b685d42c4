from __future__ import annotations

import pytest

from detections.templatetags.durations import film_length, rate


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0:00"),  # Not known yet.
        (0.033, "0.03 s"),
        (0.1, "0.1 s"),
        (1.92, "1.9 s"),
        (9.97, "9.9 s"),  # Rounded it would be ten.
        (10, "0:10"),
        (3_700, "1:01:40"),
    ],
)
def test_a_short_film_is_not_said_to_be_none(seconds: float, shown: str) -> None:
    assert film_length(seconds) == shown


@pytest.mark.parametrize(("fps", "shown"), [(30.0, "30"), (30.00003, "30"), (29.97002997, "29.97"), (12.5, "12.50")])
def test_a_rate_is_whole_where_it_nearly_is(fps: float, shown: str) -> None:
    assert rate(fps) == shown
