from __future__ import annotations

import math

import numpy as np
import pytest

from detections.appearance import ColourHistogram, Vector
from detections.continuity import Body, End, Looks, Seen, cost, cut_sides, first_end, last_end, pairs, reach

WH = (1000, 600)
H = 200.0  # Everybody's height in pixels; a step of 160 px a second is an ordinary walk.


def end(at: float, x: float, y: float = 300, vx: float = 0, vy: float = 0, *, over: str = "", scale: float = H) -> End:
    return End(at, x, y, vx, vy, scale, frozenset(over.split()))


@pytest.mark.parametrize(
    ("lost", "found"),
    [
        (end(0, 500), end(3, 500)),  # Stood still behind something.
        (end(0, 500), end(9, 700)),  # Walked off slowly behind something.
        (end(0, 300, vx=160), end(3, 780, vx=160)),  # Walked on behind a wall.
        (end(0, 300, vx=160), end(4, 420, vx=0)),  # Walked on, then stood.
        (end(0, 300, vx=160), end(4, 330, vx=-160)),  # Turned round behind a wall.
        (end(0, 1050, vx=160, over="right"), end(4, 1050, vx=-160, over="right")),  # Left, and came back.
        (end(0, 1050, 300, over="right"), end(6, 1050, 480, over="right")),  # The same, somewhat nearer.
        (end(0, 990, over="right"), end(2, 960)),  # Stood on the edge, half in the picture.
    ],
)
def test_who_can_have_got_there_is_within_reach(lost: End, found: End) -> None:
    assert reach(lost, found) <= 1


@pytest.mark.parametrize(
    ("lost", "found"),
    [
        (end(0, 300), end(1.2, 700)),  # Too far in the time.
        (end(0, 300), end(9, 900)),  # Too far to go unseen at all.
        (end(0, 300, vx=160), end(1, 300, vx=-160)),  # Nobody turns round like that.
        (end(0, 1050, vx=160, over="right"), end(4, 300, 650, vy=-160, over="bottom")),  # In by another edge.
        (end(0, 1050, vx=160, over="right"), end(9, -50, vx=160, over="left")),
        (end(0, 1050, vx=160, over="right"), end(9, 500)),  # Left, and somebody stands in the middle.
        (end(0, 500), end(3, 500, 690, vy=-160, over="bottom")),  # Hidden inside, and somebody comes in.
        (end(0, 1050, 100, over="right"), end(9, 1050, 550, over="right")),  # The same edge, far away.
        (end(0, 500), end(3, 500, scale=2.2 * H)),  # Far too large.
        (end(1, 500), end(1, 500)),  # No time has passed: two people.
        (end(2, 500), end(1, 500)),
    ],
)
def test_who_cannot_have_got_there_is_out_of_reach(lost: End, found: End) -> None:
    assert reach(lost, found) > 1


def test_the_same_holds_near_and_far() -> None:
    near = reach(end(0, 300, vx=160), end(3, 700, vx=120))
    far = reach(end(0, 30, y=30, vx=16, scale=H / 10), end(3, 70, y=30, vx=12, scale=H / 10))
    assert near == pytest.approx(far)


def boxes(*at_x_y: tuple[float, float, float], width: float = 80) -> list[Seen]:
    """Of somebody with the feet at y, as the picture's edges cut them."""
    out = []
    for at, x, y in at_x_y:
        left, top, right, bottom = x - width / 2, y - H, x + width / 2, y
        out.append([at, max(0, left), max(0, top), min(WH[0], right), min(WH[1], bottom)])
    return out


BODY = Body(80, H, True, True)


def test_the_end_is_where_the_whole_body_would_be() -> None:
    leaving = boxes(*((index / 10, 900 + 16 * index, 500) for index in range(8)))  # At the last the middle is at 1012.
    lost = last_end(leaving, BODY, WH, missed_at=0.8)
    assert lost.x == pytest.approx(1012, abs=12)
    assert lost.y == pytest.approx(400, abs=12)
    assert lost.vx == pytest.approx(160, rel=0.15)
    assert lost.over == {"right"}


def test_the_beginning_is_where_the_whole_body_would_be() -> None:
    entering = boxes(*((index / 10, 300, 760 - 24 * index) for index in range(11)))
    found = first_end(entering, BODY, WH, before_at=-0.1)
    assert found.x == pytest.approx(300, abs=5)
    assert found.y == pytest.approx(660, abs=25)
    assert found.vy == pytest.approx(-240, rel=0.2)
    assert found.over == {"bottom"}


def test_somebody_who_vanishes_in_the_middle_has_not_left() -> None:
    lost = last_end(boxes(*((index / 10, 400 + 16 * index, 500) for index in range(8))), BODY, WH, missed_at=0.8)
    assert lost.over == frozenset()


def test_at_one_frame_a_second_who_walks_to_the_edge_has_left() -> None:
    lost = last_end(boxes((0, 650, 500), (1, 810, 500)), BODY, WH, missed_at=2)
    assert lost.over == {"right"}


def test_a_single_box_has_a_place_and_no_speed() -> None:
    lost = last_end(boxes((0, 500, 400)), BODY, WH, missed_at=0.2)
    assert (lost.x, lost.y, lost.vx, lost.vy) == (500, 300, 0, 0)


def test_a_body_is_measured_where_no_edge_cuts_it_off() -> None:
    body = Body().seen(40, 30, cut_x=False, cut_y=True).seen(60, 90, cut_x=False, cut_y=True)
    assert (body.knows_width, body.knows_height, body.height) == (True, False, 90)
    body = body.seen(60, 200, cut_x=False, cut_y=False)
    assert (body.height, body.knows_height) == (200, True)
    assert body.seen(20, 100, cut_x=True, cut_y=True).height == 200


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((0, 100, 80, 300), (True, False, False, False)),
        ((100, 3, 180, 300), (False, True, False, False)),
        ((930, 100, 999, 300), (False, False, True, False)),
        ((100, 400, 180, 596), (False, False, False, True)),
        ((100, 100, 180, 300), (False, False, False, False)),
    ],
)
def test_a_box_at_an_edge_is_cut_off_there(box: tuple[float, ...], expected: tuple[bool, ...]) -> None:
    assert cut_sides([0.0, *box], WH) == expected


def vector(*values: float) -> Vector:
    return np.array(values, np.float32) / np.float32(sum(values))


BLACK, DARK, RED = vector(1, 0.02, 0.02), vector(1, 0.3, 0.02), vector(0.02, 0.02, 1)
HERE = end(0, 500), end(3, 500)


def test_other_looks_at_the_same_place_are_another_person() -> None:
    assert cost(*HERE, Looks(BLACK, 0.9), Looks(BLACK, 0.9), ColourHistogram()) < 0.2
    assert cost(*HERE, Looks(BLACK, 0.9), Looks(RED, 0.9), ColourHistogram()) > 1


def test_nobody_is_asked_to_be_more_alike_than_they_have_been() -> None:
    changing = cost(*HERE, Looks(BLACK, 0.7), Looks(DARK, 0.9), ColourHistogram())
    steady = cost(*HERE, Looks(BLACK, 0.95), Looks(DARK, 0.95), ColourHistogram())
    assert changing < steady


def test_without_looks_position_and_speed_decide() -> None:
    assert cost(*HERE, Looks(None, 0.9), Looks(RED, 0.9), ColourHistogram()) == reach(*HERE)


def test_pairs_are_the_cheapest_assignment_within_the_limit() -> None:
    # The first alone would take the first column; together they cost least crosswise.
    assert pairs(np.array([[0.2, 0.3], [0.3, 0.9]])) == [(0, 1), (1, 0)]
    assert pairs(np.array([[math.inf, 1.2], [0.4, math.inf]])) == [(1, 0)]
    assert pairs(np.array([[0.5], [0.4]])) == [(1, 0)]
    assert pairs(np.zeros((0, 3))) == []
    assert pairs(np.zeros((3, 0))) == []
