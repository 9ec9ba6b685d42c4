"""Names in any script become short names for addresses."""

from __future__ import annotations

import pytest

from accounts.slugs import LONGEST, free_slug, romanise


@pytest.mark.parametrize(
    ("text", "romanised"),
    [
        ("정문", "jeongmun"),
        ("후문 2초소", "humun 2choso"),
        ("위병소", "wibyeongso"),
        ("각힣가", "gakhitga"),  # The first and last syllables of the block and one with a final.
        ("Gate ㄱ", "Gate ㄱ"),  # A lone letter is no syllable.
        ("", ""),
    ],
)
def test_hangul_is_written_in_latin_letters(text: str, romanised: str) -> None:
    assert romanise(text) == romanised


@pytest.mark.parametrize(
    ("name", "taken", "slug"),
    [
        ("Front Gate", set(), "front-gate"),
        ("Front Gate", {"front-gate"}, "front-gate-2"),
        ("Front Gate", {"front-gate", "front-gate-2"}, "front-gate-3"),
        ("정문 1", set(), "jeongmun-1"),
        ("東門", set(), "camera"),  # Nothing of it is left.
        ("東門", {"camera"}, "camera-2"),
        ("../../etc", set(), "etc"),
        ("Ü_x_", set(), "u_x"),
    ],
)
def test_a_slug_is_made_of_the_name_and_numbered_when_taken(name: str, taken: set[str], slug: str) -> None:
    assert free_slug(name, fallback="camera", is_taken=taken.__contains__) == slug


def test_a_long_name_makes_a_short_slug() -> None:
    assert free_slug("게이트" * 40, fallback="camera", is_taken=lambda slug: False) == ("geiteu" * 40)[:LONGEST]
