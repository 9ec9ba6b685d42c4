"""The player in a real Chromium: the skeleton that it draws is the stored one, at each time, in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page, expect, sync_playwright

from tests.flow.web import Web
from tests.flow.webcam import chromium
from tests.lessons.conftest import LENGTH_S, PASSWORD, PER_S, SIZE_WH

pytestmark = pytest.mark.browser

SURE = 0.5  # As static/js/videos/skeleton_layer.js has it.
LINE_PX = 4
# How opaque the drawing is, line by line, of the part of the canvas where the picture is.
DRAWN = """() => {
  const [video, canvas] = [document.querySelector("video"), document.querySelector("[data-skeletons-overlay]")];
  const scale = Math.min(canvas.width / video.videoWidth, canvas.height / video.videoHeight);
  const [wide, high] = [video.videoWidth * scale, video.videoHeight * scale].map(Math.round);
  const [left, top] = [(canvas.width - wide) / 2, (canvas.height - high) / 2].map(Math.round);
  const { data } = canvas.getContext("2d").getImageData(left, top, wide, high);
  return [wide, high, Array.from(data.filter((_value, index) => index % 4 === 3))];
}"""


@pytest.fixture(params=["en", "ko"])
def page(request: pytest.FixtureRequest, web: Web, seeded: tuple[str, str]) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = chromium(playwright)
        page = browser.new_page(locale=request.param, viewport={"width": 1100, "height": 900})
        page.goto(f"{web.url}/login/")
        page.fill("[name=username]", "bob")
        page.fill("[name=password]", PASSWORD)
        page.press("[name=password]", "Enter")
        page.wait_for_url(f"{web.url}/")
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
        page.goto(f"{web.url}/videos/{seeded[1]}/")
        expect(page.locator("html")).to_have_attribute("lang", request.param)
        yield page
        browser.close()
        # The film was put there without its poster and its filmstrip.
        assert [problem for problem in problems if not problem.startswith("Failed to load resource")] == []


def points_of(rows: list[dict[str, Any]], at_s: float) -> NDArray[np.float64]:
    """The stored points (n, 3) at this time, of what lies between two samples the middle as it should be."""
    sample, share = int(at_s * PER_S + 0.02), at_s * PER_S % 1
    now, later = (np.array(rows[each]["people"][0]["points"]) for each in (sample, sample + 1))
    return np.asarray(now + share * (later - now) if 0.05 <= share < 0.98 else now)


def seek(page: Page, at_s: float) -> None:
    """To this time, and until its picture and skeleton are shown."""
    page.evaluate("at => { document.querySelector('video').currentTime = at + 0.001 }", at_s)
    expect(page.locator("[data-video]")).to_have_attribute("data-sample", str(int(at_s * PER_S + 0.02)))
    expect(page.locator("[data-video]")).to_have_attribute("data-skeletons", "1")
    page.wait_for_function(
        "at => Math.abs(Number(document.querySelector('[data-video]').dataset.time) - at) < 0.03", arg=at_s
    )


def drawn(page: Page) -> NDArray[np.uint8]:
    wide, high, values = page.evaluate(DRAWN)
    return np.array(values, np.uint8).reshape(high, wide)


def is_as_stored(opacity: NDArray[np.uint8], points: NDArray[np.float64]) -> bool:
    """Every sure point has its dot, and nothing reaches further than the outermost of them."""
    high, wide = opacity.shape
    places = points[points[:, 2] >= SURE, :2] * (wide / SIZE_WH[0], high / SIZE_WH[1])
    columns, rows = np.clip(np.rint(places).astype(int), 0, (wide - 1, high - 1)).T
    ys, xs = np.nonzero(opacity > 100)
    outermost = np.concatenate([places.min(0), places.max(0)])
    reached = np.array([xs.min(), ys.min(), xs.max(), ys.max()])
    return bool((opacity[rows, columns] > 200).all() and (np.abs(reached - outermost) <= LINE_PX + 2).all())


def test_the_skeleton_is_the_stored_one_at_each_time(
    page: Page, small_rows: list[dict[str, Any]], request: pytest.FixtureRequest
) -> None:
    page.wait_for_function("() => document.querySelector('video').readyState >= 2")
    times, seen = [4.0, 7.0, 7.12, 9.4], []
    for at_s in times:
        seek(page, at_s)
        seen.append(drawn(page))
        assert is_as_stored(seen[-1], points_of(small_rows, at_s)), at_s
    for other in (1, 3):
        assert not is_as_stored(seen[0], points_of(small_rows, times[other]))
    if folder := request.config.getoption("--screenshots"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"overlay-{page.locator('html').get_attribute('lang')}.png", full_page=True)
    page.keyboard.press("s")
    expect(page.locator("[data-video]")).to_have_attribute("data-skeletons", "0")
    assert not drawn(page).any()


def test_it_keeps_step_while_the_film_plays(page: Page, small_rows: list[dict[str, Any]]) -> None:
    """Read in one go: what is drawn, and the time that it was drawn for."""
    page.wait_for_function("() => document.querySelector('video').readyState >= 2")
    seek(page, 4.0)
    page.evaluate("document.querySelector('video').playbackRate = 0.25")  # What is drawn takes a while to be read.
    page.keyboard.press("k")
    times = [4.0]
    for _ in range(5):
        page.wait_for_function("at => Number(document.querySelector('[data-video]').dataset.time) > at", arg=times[-1])
        at_s, (wide, high, values) = page.evaluate(
            f"() => [Number(document.querySelector('[data-video]').dataset.time), ({DRAWN})()]"
        )
        assert is_as_stored(np.array(values, np.uint8).reshape(high, wide), points_of(small_rows, at_s)), at_s
        times.append(at_s)
    assert times[-1] < LENGTH_S - 0.5
