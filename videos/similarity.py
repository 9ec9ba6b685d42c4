"""How alike two poses are, whoever strikes them, wherever in the picture, how large, and in a mirror or not. Pure.

The distance of a learner's pose from the reference's is the sum of four terms, each 0 where they agree:
  1. key points: 1 - cosine of the two sets of points, each about its own centre;
  2. limbs: how far their directions are apart;
  3. joints: how far the angles between limbs are apart;
  4. absence: how much of what the reference shows the learner does not.
Points count by how sure the model is of them, and the less is seen of the reference, the nearer must that come: the sum
is divided by the share that is seen. Whoever merely stands, arms hanging, is like everybody else who does:
`is_standing` says so, and who follows a lesson earns nothing by it. The thresholds are measured: docs/decisions/0004.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from detections.points import MIRRORED

Points = NDArray[np.floating]  # (17, 3) or (n, 17, 3): x, y, confidence.
Verdict = Literal["perfect", "good", "miss", "rest"]

PERFECT, GOOD = 0.06, 0.12  # Distances below them.
FARTHEST = 1.0
LEAST_EVIDENCE = 0.35  # Of the reference's points: with fewer there is nothing to follow.

# Eyes and ears say little of a body, wrists much.
WEIGHTS = np.array([0.5, 0.2, 0.2, 0.2, 0.2, 1, 1, 1, 1, 1.2, 1.2, 1, 1, 1, 1, 1, 1])
LIMBS = np.array(
    [(5, 7), (7, 9), (6, 8), (8, 10), (11, 13), (13, 15), (12, 14), (14, 16), (5, 11), (6, 12), (5, 6), (11, 12)]
).T
JOINTS = np.array(
    [(5, 7, 9), (6, 8, 10), (11, 5, 7), (12, 6, 8), (5, 11, 13), (6, 12, 14), (11, 13, 15), (12, 14, 16)]
).T
# Somebody who stands, two trunks high, from behind; from before it is the same with x turned round.
_FROM_BEHIND = np.array(
    [
        *[(0, -17, 1), (-2, -19, 1), (2, -19, 1), (-5, -17, 1), (5, -17, 1)],
        *[(-10, 0, 1), (10, 0, 1), (-14, 17, 1), (14, 17, 1), (-15, 33, 1), (15, 33, 1)],
        *[(-6, 35, 1), (6, 35, 1), (-7, 57, 1), (7, 57, 1), (-8, 79, 1), (8, 79, 1)],
    ],
    np.float64,
)
STANDING = (_FROM_BEHIND, _FROM_BEHIND * (-1, 1, 1))
UNSURE, SURE = 0.2, 0.6  # A point of the first confidence counts nothing, of the second fully.
HIDDEN, SHOWN = 0.1, 0.4  # The same where it only matters whether a learner's point is there at all.
POINTLIKE = 0.1  # In trunk lengths: the angle at such a limb says nothing.
SHORT = 0.5  # In trunk lengths: the direction of a limb that is seen from its end says little.
TINY = 1e-9


def mirrored(points: Points) -> Points:
    """The same pose in a mirror."""
    flipped: Points = points[..., MIRRORED, :].copy()
    flipped[..., 0] *= -1
    return flipped


def evidence(points: Points) -> NDArray[np.float64]:
    """How much of a body is seen, 0 to 1."""
    return np.asarray((_ramp(points[..., 2], UNSURE, SURE) * WEIGHTS).sum(-1) / WEIGHTS.sum())


def distances(references: Points, learner: Points) -> NDArray[np.float64]:
    """Of a learner's pose (17, 3) from each reference (n, 17, 3), not in a mirror: 0, the same, to FARTHEST."""
    references = np.asarray(references, np.float64).reshape(-1, 17, 3)
    learner = np.asarray(learner, np.float64)
    sure, sure_too = _ramp(references[..., 2], UNSURE, SURE), _ramp(learner[..., 2], UNSURE, SURE)
    a, b = references[..., :2], np.broadcast_to(learner[..., :2], references[..., :2].shape)
    absent = _absence(sure, _ramp(learner[..., 2], HIDDEN, SHOWN))
    shared = sure * sure_too
    total = _of_points(a, b, shared * WEIGHTS) + _of_limbs(a, b, shared) + _of_joints(a, b, shared) + absent
    total /= np.maximum(evidence(references), TINY)
    return np.asarray(np.where(absent < 1, np.minimum(total, FARTHEST), FARTHEST))


def distance(reference: Points, learner: Points) -> float:
    """Of two poses, whichever way round: the smaller of direct and mirrored."""
    return float(distances(np.stack([reference, mirrored(reference)]), learner).min())


def is_standing(points: Points) -> NDArray[np.bool_]:
    """Which of the poses (n, 17, 3) somebody who merely stands would strike perfectly, as far as they are seen."""
    return np.asarray(np.minimum(*(distances(points, each) for each in STANDING)) < PERFECT)


def similarity(distance: float) -> float:
    """For people: 1 is the same."""
    return max(0.0, 1.0 - distance)


def verdict(distance: float) -> Verdict:
    return "perfect" if distance < PERFECT else "good" if distance < GOOD else "miss"


# --- The terms ---


def _absence(sure: NDArray[np.float64], there: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = sure * WEIGHTS
    return np.asarray(1 - (weights * there).sum(-1) / np.maximum(weights.sum(-1), TINY))


def _of_points(a: Points, b: Points, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    total = np.maximum(weights.sum(-1), TINY)[..., None]
    a, b = (each - ((weights[..., None] * each).sum(-2) / total)[..., None, :] for each in (a, b))
    shared = (weights[..., None] * a * b).sum((-2, -1))
    length_a, length_b = (np.sqrt((weights[..., None] * each**2).sum((-2, -1))) for each in (a, b))
    return np.asarray(1 - shared / np.maximum(length_a * length_b, TINY))


def _of_limbs(a: Points, b: Points, sure: NDArray[np.float64]) -> NDArray[np.float64]:
    start, end = LIMBS
    limb_a, limb_b = a[..., end, :] - a[..., start, :], b[..., end, :] - b[..., start, :]
    length_a, length_b = np.linalg.norm(limb_a, axis=-1), np.linalg.norm(limb_b, axis=-1)
    longer = np.maximum(length_a / _trunk(a)[..., None], length_b / _trunk(b)[..., None])
    weights = np.minimum(sure[..., start], sure[..., end]) * np.clip(longer / SHORT, 0, 1)
    cosine = (limb_a * limb_b).sum(-1) / np.maximum(length_a * length_b, TINY)
    return _mean((1 - cosine) / 2, weights)


def _of_joints(a: Points, b: Points, sure: NDArray[np.float64]) -> NDArray[np.float64]:
    (angle_a, told_a), (angle_b, told_b) = _angles(a), _angles(b)
    return _mean((1 - np.cos(angle_a - angle_b)) / 2, sure[..., JOINTS].min(-2) * np.minimum(told_a, told_b))


def _angles(points: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each joint, and how far it can be told: not where one of its limbs is a point."""
    first, joint, second = (points[..., each, :] for each in JOINTS)
    u, v = first - joint, second - joint
    shorter = np.minimum(np.linalg.norm(u, axis=-1), np.linalg.norm(v, axis=-1)) / _trunk(points)[..., None]
    angles = np.arctan2(u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0], (u * v).sum(-1))
    return np.asarray(angles), np.clip(shorter / POINTLIKE, 0, 1)


def _trunk(points: Points) -> NDArray[np.float64]:
    """The body's size in the picture: its trunk, or, bent towards the camera, the breadth of its shoulders."""
    left_shoulder, right_shoulder, left_hip, right_hip = (points[..., each, :] for each in (5, 6, 11, 12))
    height = np.linalg.norm((left_shoulder + right_shoulder - left_hip - right_hip) / 2, axis=-1)
    breadth = np.linalg.norm(left_shoulder - right_shoulder, axis=-1)
    return np.asarray(np.maximum(np.maximum(height, breadth), TINY))


def _mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((values * weights).sum(-1) / np.maximum(weights.sum(-1), TINY))


def _ramp(confidence: NDArray[np.floating], low: float, high: float) -> NDArray[np.float64]:
    return np.clip((confidence.astype(np.float64) - low) / (high - low), 0, 1)
