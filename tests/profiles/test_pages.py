"""The pages of profiles in a real Chromium, in both languages: a question answered, two made one, one erased."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils.translation import gettext, override
from playwright.sync_api import Browser, Page, expect, sync_playwright

from profiles import acts
from profiles.erase import Erased
from tests.flow.web import Web
from tests.flow.webcam import chromium

pytestmark = pytest.mark.browser

PASSWORD = "correct horse battery"
LANGUAGES = ["en", "ko"]
# In each language's unit: two who are known, one of whom was seen twice, and a face that may be the first one's.
SEED = """
from pathlib import Path
from accounts.models import Unit, User
from profiles.models import Profile
from tests.profiles.people import enrol, like, newcomer, vector
from videos.models import Video
User.objects.create_superuser("root", password={password!r})
faces, told = [Path(each).read_bytes() for each in {faces!r}], {{}}
for language in {languages!r}:
    unit = Unit.objects.create(name=language)
    film = lambda: Video.objects.create(unit=unit, title="정문 <b>gate</b>.mp4", state="done", extension="mp4").pk
    people = [newcomer(vector(seed), crop=face) for seed, face in enumerate(faces[:2], 1)]
    first, second = (enrol(unit.pk, film(), each)[0].profile for each in people)
    enrol(unit.pk, film(), newcomer(like(vector(2), 0.9, seed=2), crop=faces[1]))
    asked = enrol(unit.pk, film(), newcomer(like(vector(1), 0.42), crop=faces[2]))[0].appearance
    told[language] = [str(each) for each in (first, second, asked)]
"""
HELD = """
from pathlib import Path
from django.conf import settings
from profiles.models import Appearance, Confirmation, Face, Profile, ProfileLook
unit = {language!r}
told = {{
    "profiles": sorted(str(each) for each in Profile.objects.filter(unit__name=unit).values_list("pk", flat=True)),
    "appearances": Appearance.objects.filter(unit__name=unit).count(),
    "faces": Face.objects.filter(appearance__unit__name=unit).count(),
    "questions": Confirmation.objects.filter(candidate__unit__name=unit).count(),
    "pictures": len([1 for each in settings.PROFILES_DIR.rglob("*.jpg")]),
    "looks": list(ProfileLook.objects.filter(unit__name=unit).order_by("pk").values_list("action", flat=True)),
}}
"""


@pytest.fixture(scope="module")
def web(valkey: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with Web(tmp_path_factory.mktemp("profiles") / "var", redis_url=valkey) as running:
        yield running


@pytest.fixture(scope="module")
def people(web: Web, test_data: Path) -> dict[str, list[str]]:
    """By language: two profiles and the appearance that is asked about."""
    faces = [str(sorted(folder.iterdir())[0]) for folder in sorted((test_data / "faces" / "enrol").iterdir())[:3]]
    return dict(web.seed(SEED.format(password=PASSWORD, faces=faces, languages=LANGUAGES)))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = chromium(playwright)
        yield opened
        opened.close()


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> Iterator[str]:
    with override(request.param):
        yield request.param


@pytest.fixture
def page(browser: Browser, web: Web, people: dict[str, list[str]], language: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale=language)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
    page.goto(f"{web.url}/login/")
    page.fill("[name=username]", "root")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url(f"{web.url}/")
    yield page
    context.close()
    assert problems == []


@pytest.fixture
def shot(request: pytest.FixtureRequest, page: Page, language: str) -> Callable[[str], Any]:
    """Leaves a picture of the page where one is asked for, once all of it is there."""

    def take(name: str) -> None:
        expect(page.locator("html")).to_have_attribute("lang", language)
        for picture in page.locator("main img").all():
            picture.scroll_into_view_if_needed()
            expect(picture).to_have_js_property("complete", True)
            assert picture.evaluate("(image) => image.naturalWidth") > 0
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        if folder := request.config.getoption("--screenshots"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(folder) / f"{name}-{language}.png", full_page=True)

    return take


def test_a_person_is_looked_at_asked_about_joined_and_erased(
    page: Page, web: Web, people: dict[str, list[str]], language: str, shot: Callable[[str], Any]
) -> None:
    first, second, asked = people[language]

    def held() -> dict[str, Any]:
        return dict(web.seed(HELD.format(language=language)))

    # 1. The list, and one person, who is given a name.
    page.goto(f"{web.url}/profiles/")
    expect(page.locator(f'[data-profile="{first}"]')).to_be_visible()
    shot("profiles")
    page.locator(f'[data-profile="{first}"] a').click()
    expect(page.locator(".appearance")).to_have_count(1)
    expect(page.locator(".appearance-where")).to_have_text("정문 <b>gate</b>.mp4")
    page.fill("[name=surname]", "김")
    page.fill("[name=name]", "<i>Anna</i>")
    page.select_option("[name=listing]", "wanted")
    page.get_by_role("button", name=gettext("Save")).click()
    expect(page.locator("h1")).to_contain_text("김 <i>Anna</i>")
    expect(page.locator("h1 .chip")).to_have_text(gettext("wanted"))
    shot("profile")

    # 2. The question whether a face is theirs.
    page.goto(f"{web.url}/profiles/confirm/")
    question = page.locator(f'[data-question="{asked}"]')
    expect(question.locator("img")).to_have_count(2)
    shot("confirm")
    question.get_by_role("button", name=gettext("The same person")).click()
    expect(question).to_have_count(0)
    assert held()["questions"] == 0
    page.goto(f"{web.url}/profiles/{first}/")
    expect(page.locator(f'[data-appearance="{asked}"]')).to_be_visible()
    expect(page.locator(".appearance")).to_have_count(2)

    # 3. One of these two is moved to the other profile, which turns out to be the same person.
    page.locator(f'[data-appearance="{asked}"] [type=checkbox]').check()
    page.locator(f'[name=to][form=split][value="{second}"]').check()
    shot("move")
    page.get_by_role("button", name=gettext("Move them to this profile")).click()
    page.wait_for_url(f"{web.url}/profiles/{second}/")
    expect(page.locator(".appearance")).to_have_count(3)
    page.goto(f"{web.url}/profiles/{first}/")
    expect(page.locator(".appearance")).to_have_count(1)
    page.locator(f'form[action$="/merge/"] [name=to][value="{second}"]').check()
    shot("merge")
    page.get_by_role("button", name=gettext("Merge"), exact=True).click()
    expect(page.locator("main")).to_contain_text(gettext("The two profiles are one now."))
    before = held()
    assert len(before["profiles"]) == 1
    page.goto(f"{web.url}/profiles/{before['profiles'][0]}/")
    expect(page.locator(".appearance")).to_have_count(4)
    expect(page.locator("h1")).to_contain_text("김 <i>Anna</i>")
    shot("merged")

    # 4. Nothing is erased before the box is ticked; then all of it is, and the page says what.
    button = page.get_by_role("button", name=gettext("Erase"), exact=True)
    button.click()
    assert held()["profiles"] == before["profiles"]
    page.locator("[name=sure]").check()
    button.click()
    page.wait_for_url(f"{web.url}/profiles/")
    said = acts._said(Erased(appearances=4, pictures=4, faces=before["faces"]))
    expect(page.locator("main")).to_contain_text(said)
    shot("erased")
    after = held()
    assert (after["profiles"], after["appearances"], after["faces"]) == ([], 0, 0)
    assert after["pictures"] == before["pictures"] - 4
    changes = [each for each in after["looks"] if each not in {"viewed", "listed"}]
    assert changes == [
        "edited",
        "confirmed",
        "moved",
        "moved",
        "merged",
        "merged",
        "erased",
    ]  # Both of the two are noted.
    assert page.request.get(f"{web.url}/profiles/{first}/").status == 404
