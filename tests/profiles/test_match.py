from __future__ import annotations

from uuid import UUID, uuid4

import numpy as np
import pytest

from profiles.faces import ARCFACE
from profiles.match import NOBODY, Known
from tests.profiles.people import like, vector

ANNE, BERT = uuid4(), uuid4()


def known(*people: UUID) -> Known:
    found = Known()
    for seed, person in enumerate(people, 1):
        found.add([person], vector(seed)[None])
    return found


@pytest.mark.parametrize(
    ("cosine", "verdict"),
    [
        (1.0, "same"),
        (ARCFACE.same + 0.001, "same"),
        (ARCFACE.same - 0.001, "maybe"),
        (ARCFACE.maybe + 0.001, "maybe"),
        (ARCFACE.maybe - 0.001, "new"),
        (-1.0, "new"),
    ],
)
def test_it_is_the_nearest_profile_or_a_question_or_somebody_new(cosine: float, verdict: str) -> None:
    decision = known(ANNE).decide(like(vector(1), cosine), ARCFACE)
    assert decision.verdict == verdict
    assert decision.profile == (None if verdict == "new" else ANNE)


def test_nobody_is_known_in_an_empty_gallery() -> None:
    assert Known().decide(vector(1), ARCFACE) == NOBODY


def test_it_asks_where_a_second_profile_is_nearly_as_like() -> None:
    found = Known()
    found.add([ANNE, BERT], np.stack([like(vector(1), 0.80, 1), like(vector(1), 0.77, 2)]))
    decision = found.decide(vector(1), ARCFACE)
    assert (decision.verdict, decision.profile) == ("maybe", ANNE)
    assert found.decide(vector(1), ARCFACE, excluded=[BERT]).verdict == "same"


def test_a_profile_that_is_excluded_is_not_it() -> None:
    assert known(ANNE, BERT).decide(vector(1), ARCFACE, excluded=[ANNE]) == NOBODY


def test_a_denied_face_is_never_taken_for_that_profile_again() -> None:
    found = known(ANNE)
    denied = like(vector(1), 0.6)
    assert found.decide(denied, ARCFACE).profile == ANNE
    found.add([ANNE], denied[None], denied=True)
    assert found.decide(denied, ARCFACE) == NOBODY
    assert found.decide(like(denied, 0.95), ARCFACE) == NOBODY
    assert found.decide(vector(1), ARCFACE).verdict == "same"  # Anne is still found.


def test_faces_can_be_added_for_ever() -> None:
    found = Known()
    for seed in range(700):
        found.add([UUID(int=seed + 1)], vector(seed)[None])
    assert [found.decide(vector(seed), ARCFACE).profile for seed in (0, 255, 256, 699)] == [
        UUID(int=seed + 1) for seed in (0, 255, 256, 699)
    ]


def test_among_a_hundred_thousand_faces_each_finds_its_own() -> None:
    rows = np.random.default_rng(1).standard_normal((100_000, 128)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    found = Known()
    found.add([UUID(int=row + 1) for row in range(len(rows))], rows)
    found.add([UUID(int=5)], like(rows[4], 0.3)[None], denied=True)
    assert [found.decide(rows[row], ARCFACE).profile for row in range(40)] == [UUID(int=row + 1) for row in range(40)]
