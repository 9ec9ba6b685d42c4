"""Whether somebody found now can be the one lost a moment ago: position, speed and looks. Pure; called by visits.

Lengths are in body heights (a person walks about 0.8 of them a second), so that the same limits hold near and far.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import lap
import numpy as np

from detections.appearance import Appearance, Vector

Seen = list[float]  # at, left, top, right, bottom: a box with its time; a list, because it is kept in the checkpoint.

EDGE = 0.015  # A box within this share of the picture's side from its edge is cut off by it.
SLOPE_S = 1.15  # The speed is that of the last (or first) boxes within so long.
MARGIN_S = 0.3  # A person about to cross the edge within so long before the next frame is taken to have crossed it.
SLIVER = 0.7  # Of the body's area: boxes that show less are not measured while there are better ones.
WIDE = 2.0  # A standing body is at least so many times as high as it is wide; of a sitting one the legs are unseen.

# Someone lost inside the picture is looked for between where they were lost and where their speed would have brought
# them, and so far around it: at once, more with each second, at most.
NEAR, NEAR_PER_S, NEAR_MOST = 0.5, 0.3, 2.0
# Someone who left over an edge turns round out there and comes back over the same edge, not far away. This is what
# tells one person from the next where people come in at one edge and leave by another.
BACK_MOST = 1.5
# Nobody leaves over one edge and comes in by another, or is lost inside and comes in from outside, unless right there.
AT_EDGE = 0.6
# Change of velocity that a person can make: at once (boxes are noisy), more with each second.
TURN, TURN_PER_S = 0.8, 0.6
SIZE_MOST = 2.0  # Nobody is so many times as high as they were.
# Looks may agree so much less with each other than they have done with themselves all along: somebody who has stood
# still changes little behind a pillar, a dancer much. Whatever that gives, less than the first of these is two people,
# and nobody is asked for more than the second.
LESS_ALIKE = 0.3
LEAST_AGREEMENT, MOST_AGREEMENT = 0.5, 0.65


@dataclass(frozen=True, slots=True)
class Body:
    """The size of the whole body in pixels, as far as it has been seen; `knows_*` where an edge did not cut it off."""

    width: float = 0.0
    height: float = 0.0
    knows_width: bool = False
    knows_height: bool = False

    @property
    def scale(self) -> float:
        return max(self.height, WIDE * self.width)

    def seen(self, width: float, height: float, *, cut_x: bool, cut_y: bool) -> Body:
        """The body after one more box of it."""
        return Body(
            _grown(self.width, width, known=self.knows_width, cut=cut_x),
            _grown(self.height, height, known=self.knows_height, cut=cut_y),
            self.knows_width or not cut_x,
            self.knows_height or not cut_y,
        )


def _grown(size: float, found: float, *, known: bool, cut: bool) -> float:
    if cut:
        return max(size, found)
    return size + 0.3 * (found - size) if known else found


@dataclass(frozen=True, slots=True)
class End:
    """Where a stretch of boxes ends (or begins): the whole body's centre in pixels, its velocity, the body's height."""

    at: float
    x: float
    y: float
    vx: float
    vy: float
    scale: float
    over: frozenset[str]  # The edges of the picture over which the way goes on (or came): none inside it.


def cut_sides(seen: Seen, size_wh: tuple[int, int]) -> tuple[bool, bool, bool, bool]:
    """Which of left, top, right and bottom the picture's edge cuts off."""
    (_, left, top, right, bottom), (width, height) = seen, size_wh
    return (
        left <= EDGE * width,
        top <= EDGE * height,
        right >= (1 - EDGE) * width,
        bottom >= (1 - EDGE) * height,
    )


def last_end(boxes: list[Seen], body: Body, size_wh: tuple[int, int], missed_at: float) -> End:
    """Where someone was lost who was no longer there in the frame of `missed_at`."""
    return _end(boxes[::-1], body, size_wh, unseen_s=missed_at - boxes[-1][0] + MARGIN_S)


def first_end(boxes: list[Seen], body: Body, size_wh: tuple[int, int], before_at: float) -> End:
    """Where someone was found who was not yet there in the frame of `before_at`."""
    return _end(boxes, body, size_wh, unseen_s=before_at - boxes[0][0] - MARGIN_S)


def _end(boxes: list[Seen], body: Body, size_wh: tuple[int, int], *, unseen_s: float) -> End:
    """Of boxes in order from the end inwards; `unseen_s` is negative where the unseen time comes before."""
    at = boxes[0][0]
    near = [box for box in boxes if abs(box[0] - at) <= SLOPE_S]
    near = near if len(near) >= 2 else boxes[:2]
    # What an edge leaves of a body, a foot or a head, says little about where the body is.
    whole = [box for box in near if (box[3] - box[1]) * (box[4] - box[2]) >= SLIVER * body.width * body.height]
    near = whole if len(whole) >= 2 else near
    places = np.array([_centre(box, body, size_wh) for box in near])
    times = np.array([box[0] for box in near]) - at
    vx, vy = _slopes(times, places)
    x, y = float(places[0, 0] - vx * times[0]), float(places[0, 1] - vy * times[0])
    gone_x, gone_y = x + vx * unseen_s, y + vy * unseen_s
    beyond = {"left": gone_x < 0, "top": gone_y < 0, "right": gone_x > size_wh[0], "bottom": gone_y > size_wh[1]}
    return End(at, x, y, vx, vy, body.scale, frozenset(side for side, is_out in beyond.items() if is_out))


def _centre(seen: Seen, body: Body, size_wh: tuple[int, int]) -> tuple[float, float]:
    """The whole body's centre: a side that the picture cuts off is put where the body would reach.

    What is left of somebody at the left or right edge is a leg as often as a shoulder: only the ground is steady.
    """
    _, left, top, right, bottom = seen
    cut = cut_sides(seen, size_wh)
    x, y = (left + right) / 2, (top + bottom) / 2
    if cut[0] != cut[2]:
        half = max(body.width, right - left) / 2
        x = right - half if cut[0] else left + half
    if cut[1] != cut[3] or (cut[0] != cut[2] and not cut[3]):
        half = max(body.height, bottom - top) / 2
        y = top + half if cut[3] else bottom - half
    return x, y


def _slopes(times: np.ndarray, places: np.ndarray) -> tuple[float, float]:
    """Least-squares velocity; none from less than two moments."""
    centred = times - times.mean()
    spread = float((centred**2).sum())
    if spread < 1e-6:
        return 0.0, 0.0
    slope = centred @ (places - places.mean(axis=0)) / spread
    return float(slope[0]), float(slope[1])


def reach(lost: End, found: End) -> float:
    """How much of what is possible it takes to get from one to the other: 0 nothing, 1 the limit."""
    dt = found.at - lost.at
    scale = (lost.scale + found.scale) / 2
    if dt <= 0 or min(lost.scale, found.scale) <= 0:
        return math.inf
    turn = math.hypot(found.vx - lost.vx, found.vy - lost.vy) / scale / (TURN + TURN_PER_S * dt)
    if lost.over & found.over:
        way, most = math.hypot(found.x - lost.x, found.y - lost.y), BACK_MOST
    elif lost.over or found.over:
        way, most = math.hypot(found.x - lost.x, found.y - lost.y), AT_EDGE
    else:
        way, most = _from_path(lost, found, dt), NEAR_MOST
    size = abs(math.log(found.scale / lost.scale)) / math.log(SIZE_MOST)
    return max(way / scale / min(NEAR + NEAR_PER_S * dt, most), turn, size)


def _from_path(lost: End, found: End, dt: float) -> float:
    """Distance of `found` from the line between where they were lost and where their speed would have brought them."""
    px, py = lost.vx * dt, lost.vy * dt
    dx, dy = found.x - lost.x, found.y - lost.y
    length2 = px * px + py * py
    share = min(1.0, max(0.0, (dx * px + dy * py) / length2)) if length2 > 0 else 0.0
    return math.hypot(dx - share * px, dy - share * py)


@dataclass(frozen=True, slots=True)
class Looks:
    """Somebody's mean looks, and how alike they have been to themselves from one moment to the next."""

    vector: Vector | None
    likeness: float


def cost(lost: End, found: End, before: Looks, after: Looks, appearance: Appearance) -> float:
    """Of continuing one with the other: up to 1 they may be the same person. Far in one asks for near in the other."""
    far = reach(lost, found)
    if far > 1 or before.vector is None or after.vector is None:
        return far
    alike = min(before.likeness, after.likeness) - LESS_ALIKE
    least = min(MOST_AGREEMENT, max(LEAST_AGREEMENT, alike))
    return math.hypot(far, (1 - appearance.agreement(before.vector, after.vector)) / (1 - least))


def pairs(costs: np.ndarray) -> list[tuple[int, int]]:
    """The cheapest assignment of rows to columns among costs up to 1 (infinite ones are impossible)."""
    if not costs.size:
        return []
    _, column, _ = lap.lapjv(np.minimum(costs, 1e3), extend_cost=True, cost_limit=1.0)
    return [(row, int(col)) for row, col in enumerate(column) if col >= 0]
