"""How alike poses are: what must not matter, what must, and how the same and other clips come out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.lessons import told
from tests.lessons.conftest import PER_S, Told
from videos import similarity
from videos.reference import Judge, Reference, of_rows
from videos.similarity import FARTHEST, GOOD, PERFECT, Points, distance, mirrored, verdict

Skeleton = NDArray[np.float64]

# Somebody who stands with arms hanging, about two trunks high.
STANDING = np.array(
    [
        (50, 8), (48, 6), (52, 6), (45, 8), (55, 8), (40, 25), (60, 25), (36, 42), (64, 42), (35, 58), (65, 58),
        (44, 60), (56, 60), (43, 82), (57, 82), (42, 104), (58, 104),
    ],
    np.float64,
)  # fmt: skip


def with_confidence(places: Skeleton, confidence: float = 0.9) -> Skeleton:
    return np.hstack([places, np.full((17, 1), confidence)])


def with_arm(elbow: tuple[float, float], wrist: tuple[float, float]) -> Skeleton:
    places = STANDING.copy()
    places[8], places[10] = elbow, wrist
    return with_confidence(places)


STILL = with_confidence(STANDING)
SALUTE = with_arm((76, 28), (56, 8))
POINTING = with_arm((77, 25), (94, 25))

skeletons = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), min_size=17, max_size=17).map(
    lambda places: with_confidence(np.array(places, np.float64))
)


@settings(max_examples=200)
@given(skeletons, st.floats(0.05, 20), st.floats(-5_000, 5_000), st.floats(-5_000, 5_000), st.booleans())
def test_place_size_and_mirror_do_not_matter(
    skeleton: Skeleton, scale: float, across: float, down: float, is_mirrored: bool
) -> None:
    moved = mirrored(skeleton) if is_mirrored else skeleton.copy()
    moved[:, :2] = moved[:, :2] * scale + (across, down)
    if np.ptp(skeleton[:, :2], axis=0).max() > 0:  # Else all points are one, and there is no pose.
        assert distance(skeleton, moved) < 1e-4


@settings(max_examples=200)
@given(skeletons, skeletons, st.floats(0.1, 10), st.floats(-1_000, 1_000))
def test_nor_do_they_between_different_poses(a: Skeleton, b: Skeleton, scale: float, shift: float) -> None:
    moved = mirrored(b)
    moved[:, :2] = moved[:, :2] * scale + shift
    assert distance(a, moved) == pytest.approx(distance(a, b), abs=1e-5)
    assert distance(a, b) + 1e-9 >= 0
    assert distance(a, b) <= FARTHEST


@given(skeletons)
def test_a_mirror_of_a_mirror_is_the_same(skeleton: Skeleton) -> None:
    assert np.array_equal(mirrored(mirrored(skeleton)), skeleton)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (STILL, STILL, "perfect"),
        (SALUTE, SALUTE, "perfect"),
        (SALUTE, mirrored(SALUTE), "perfect"),
        (SALUTE, with_arm((76, 30), (57, 10)), "perfect"),  # nearly
        (SALUTE, STILL, "miss"),
        (SALUTE, POINTING, "miss"),
        (POINTING, with_arm((72, 38), (82, 52)), "good"),  # the arm half let down
    ],
)
def test_one_arm_makes_the_difference(a: Skeleton, b: Skeleton, expected: str) -> None:
    assert verdict(distance(a, b)) == expected


def test_what_the_learner_hides_counts_and_what_the_reference_hides_does_not() -> None:
    upper = STILL.copy()
    upper[11:, 2] = 0.0
    assert distance(upper, STILL) < PERFECT
    assert distance(STILL, upper) > GOOD
    nobody = STILL.copy()
    nobody[:, 2] = 0.0
    assert distance(STILL, nobody) == FARTHEST


def test_points_that_the_model_is_unsure_of_count_little() -> None:
    wrong, unsure = STILL.copy(), STILL.copy()
    wrong[10, :2] = unsure[10, :2] = (5, 90)
    unsure[10, 2] = 0.3
    assert distance(STILL, unsure) < distance(STILL, wrong) / 2


# --- Time ---


def waving(at_s: float) -> Skeleton:
    angle = math.sin(at_s * 2)
    return with_arm((78, 22), (78 + 18 * math.sin(angle), 22 - 18 * math.cos(angle)))


def a_reference(length_s: float = 10, per_s: float = 5) -> Reference:
    at_s = np.arange(0, length_s, 1 / per_s)
    return Reference(at_s, np.stack([waving(each) for each in at_s]))


@pytest.mark.parametrize(("late_s", "least"), [(0.0, 1.0), (0.3, 1.0), (-0.3, 1.0)])
def test_a_little_late_or_early_is_as_good(late_s: float, least: float) -> None:
    judge = Judge(a_reference())
    verdicts = [judge.take(at_s, waving(at_s - late_s))[0] for at_s in np.arange(0.5, 9, 0.2)]
    assert verdicts.count("perfect") >= least * len(verdicts)


def test_the_time_between_samples_is_filled() -> None:
    distances = [Judge(a_reference()).take(at_s, waving(at_s))[1] for at_s in np.arange(0.1, 9, 0.037)]
    assert max(each for each in distances if each is not None) < PERFECT / 2


def test_where_the_reference_shows_nobody_nothing_counts() -> None:
    reference = a_reference()
    gap = (reference.at_s < 3) | (reference.at_s > 6)
    judge = Judge(Reference(reference.at_s[gap], reference.points[gap]))
    assert judge.take(4.5, waving(4.5)) == ("rest", None)
    assert judge.take(1.0, waving(1.0))[0] == "perfect"
    assert Judge(Reference(np.zeros(0), np.zeros((0, 17, 3)))).take(1.0, STILL) == ("rest", None)
    assert Judge(Reference(np.array([1.0]), SALUTE[None])).take(1.0, SALUTE)[0] == "perfect"
    assert judge.totals() == {"perfect": 1, "good": 0, "miss": 0, "rest": 1}


def test_a_run_is_followed_in_the_mirror_or_not_but_not_both() -> None:
    judge = Judge(a_reference())
    for at_s in np.arange(0.5, 9, 0.2):
        judge.take(at_s, mirrored(waving(at_s)))
    assert judge.is_mirrored
    assert judge.totals()["perfect"] == len(judge.moments)
    judge.take(9.0, waving(9.0))
    assert judge.totals()["miss"] == 1


def test_a_learner_who_is_away_misses() -> None:
    assert Judge(a_reference()).take(2.0, None) == ("miss", FARTHEST)


# --- Standing ---


def facing(skeleton: Skeleton) -> Skeleton:
    return skeleton * (-1, 1, 1)


@pytest.mark.parametrize(
    ("pose", "stands"),
    [
        (STILL, True),
        (facing(STILL), True),
        (with_arm((66, 42), (70, 58)), True),  # not quite hanging
        (with_arm((76, 32), (91, 42)), False),  # held out
        (SALUTE, False),
        (POINTING, False),
        (facing(POINTING), False),
    ],
)
def test_who_merely_stands_is_told_from_behind_and_from_before(pose: Skeleton, stands: bool) -> None:
    upper = pose.copy()
    upper[13:, 2] = 0.0
    assert similarity.is_standing(np.stack([pose, pose * (3, 3, 1) + (70, -20, 0), upper])).tolist() == [stands] * 3


def test_to_stand_as_the_reference_does_earns_nothing_and_not_to_is_a_miss() -> None:
    """It stands, then salutes."""
    judge = Judge(Reference(np.arange(6.0), np.stack([STILL] * 3 + [SALUTE] * 3)))
    assert judge.take(1.0, facing(STILL))[0] == "miss"
    judge = Judge(judge.reference)
    assert judge.take(1.0, STILL) == ("rest", None)
    assert judge.take(1.0, POINTING)[0] == "miss"
    assert judge.take(1.0, None) == ("miss", FARTHEST)
    assert judge.take(4.0, SALUTE)[0] == "perfect"
    assert judge.take(4.0, STILL)[0] == "miss"
    assert judge.totals() == {"perfect": 1, "good": 0, "miss": 3, "rest": 1}


def test_a_little_late_to_move_is_no_miss() -> None:
    judge = Judge(Reference(np.arange(0, 2, 0.2), np.stack([STILL] * 5 + [SALUTE] * 5)))
    assert judge.take(1.2, STILL) == ("rest", None)
    assert judge.take(1.6, STILL)[0] == "miss"


# --- Who is followed ---


def a_person(track: int | None, size: float) -> dict[str, object]:
    return {"track": track, "confidence": 0.9, "box": [0, 0, size, size], "points": STILL.tolist()}


def test_the_person_who_takes_the_most_room_is_followed_through_all_their_tracks() -> None:
    rows = [
        {"at_s": k / 5, "people": [a_person(1 if k < 5 else 2, 60), a_person(3, 80)][: 2 if k < 4 else 1]}
        for k in range(10)
    ]
    assert list(of_rows(rows, {1: 1, 2: 1}).at_s) == [k / 5 for k in range(10)]
    assert list(of_rows(rows, {}).at_s) == [k / 5 for k in range(4)]
    assert len(of_rows([{"at_s": 0.0, "people": []}], {}).at_s) == 0


def test_a_head_alone_is_nothing_to_follow() -> None:
    head = STILL.copy()
    head[5:, 2] = 0.05
    assert Reference(np.array([0.0]), head[None]).share_to_follow() == 0.0
    assert Reference(np.array([0.0]), SALUTE[None]).share_to_follow() == 1.0


def test_nor_is_somebody_who_only_stands() -> None:
    assert Reference(np.arange(4.0), np.stack([STILL, SALUTE, STILL, STILL])).share_to_follow() == 0.25


# --- Real clips ---


@pytest.fixture(scope="session")
def clips(
    dancer: Told, pose_models: Path, test_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Told]:
    """The dancer, and two signers before the same wall, who begin and end with their arms hanging, as she does."""
    found = {"dancer": dancer}
    for name in ("asl_please", "asl_walk"):
        clip = test_data / "videos" / f"{name}.mkv"
        found[name] = Told(clip, told.by_the_models(clip, PER_S, pose_models, tmp_path_factory.mktemp(name)))
    return found


def share_of_perfect(reference: Reference, learner: Sequence[Points | None], late_s: float = 0.0) -> float:
    """Of the moments that count; the learner's clip begins anew where it ends before the reference."""
    judge = Judge(reference)
    for number, at_s in enumerate(np.arange(late_s, reference.at_s[-1], 1 / PER_S)):
        judge.take(float(at_s), learner[number % len(learner)])
    totals = judge.totals()
    return totals["perfect"] / (len(judge.moments) - totals["rest"])


def people_of(clip: Told) -> list[Skeleton | None]:
    return [np.array(row["people"][0]["points"]) if row["people"] else None for row in clip.rows]


NAMES = ("dancer", "asl_please", "asl_walk")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("is_mirrored", "scale", "late_s"), [(False, 1, 0.0), (True, 1, 0.0), (False, 0.4, 0.3), (True, 3, 0.2)]
)
def test_the_same_clip_is_nearly_always_perfect(
    name: str, is_mirrored: bool, scale: float, late_s: float, clips: dict[str, Told]
) -> None:
    reference = of_rows(clips[name].rows, {})
    assert reference.share_to_follow() > 0.5
    assert reference.crowded < 0.1
    learner = [
        each if each is None else (mirrored(each) if is_mirrored else each) * (scale, scale, 1) + (9, -4, 0)
        for each in people_of(clips[name])
    ]
    assert share_of_perfect(reference, learner, late_s) >= 0.9


@pytest.mark.parametrize(("name", "other"), list(itertools.permutations(NAMES, 2)))
def test_another_clip_is_hardly_ever_perfect(name: str, other: str, clips: dict[str, Told]) -> None:
    assert share_of_perfect(of_rows(clips[name].rows, {}), people_of(clips[other])) <= 0.1


@pytest.mark.parametrize(("size", "crowded"), [(0.5, 0.0), (0.9, 0.5), (1.5, 0.5)])
def test_somebody_as_large_makes_a_crowd(size: float, crowded: float) -> None:
    def person(track: int, side: float) -> dict[str, object]:
        return {"track": track, "box": [0, 0, 100 * side, 100], "points": SALUTE.tolist()}

    rows = [{"at_s": float(at), "people": [person(1, 1), *([person(2, size)] if at % 2 else [])]} for at in range(10)]
    if size > 1:
        rows.append({"at_s": 10.0, "people": [person(1, 5)]})  # The first one takes more room over the whole.
    assert of_rows(rows, {}).crowded == pytest.approx(crowded, abs=0.05)


def test_the_same_is_wholly_similar() -> None:
    assert similarity.similarity(0.0) == 1.0
