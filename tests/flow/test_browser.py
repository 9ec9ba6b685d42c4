"""The main job, end to end: a clip is a real browser's webcam, and another browser's dashboard shows who comes.

The first half of the clip is played once, in real time; `--whole-clip` plays all of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.utils import translation
from playwright.sync_api import Browser, Page, Playwright, ViewportSize, sync_playwright

from cameras.entries import Entry, Kind, Outcome
from detections.tracklog import Row
from tests.flow import cuts, play, strip, webcam
from tests.flow.dashboard import OBSERVE, Sights, open_dashboard, sights
from tests.flow.play import Play, Received
from tests.flow.tabs import Tabs
from tests.flow.webcam import Clip
from tests.product import Product

pytestmark = [pytest.mark.browser, pytest.mark.realtime, pytest.mark.timeout(420)]

HALF = 729
EDGE_S = 1.0
BOX_S, VISIT_S, GONE_S = 1.5, 2.5, 1.5
BACK_S = 15
TARGET_FPS, BACKGROUND_S = 5, 10
TOLERANCE = 3  # Frames by which the clip's own intervals may be wrong.
SIZE = ViewportSize(width=1280, height=800)


@dataclass
class Played:
    """A play that is over, what its dashboard showed, and what both pages said at certain frames."""

    play: Play
    sights: Sights
    said: dict[str, dict[str, Any]]

    def verdicts(self) -> list[tuple[Received, Entry]]:
        entries = {(entry.stream, entry.seq): entry for entry in self.play.judged()}
        return [(each, entries[each.stream, each.seq]) for each in self.play.received]


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, models: Path, test_data: Path) -> Iterator[Product]:
    env = {"OMIL_MODEL": str(test_data / "weights" / "yolo26n.pt"), "OMIL_GATE_IGNORED": strip.REGION, **cuts.ENV}
    with Product(tmp_path_factory.mktemp("browser") / "var", models=models, env=env) as running:
        play.count_writes(running)
        yield running


def make_clip(test_data: Path, folder: Path, *, first: int = 0, last: int | None = None) -> Clip:
    video = test_data / "videos" / "one-by-one-person-detection.mp4"
    return webcam.make(video, folder / "webcam.y4m", first=first, last=last)


@pytest.fixture(scope="module")
def clip(test_data: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Clip]:
    last = None if request.config.getoption("whole_clip") else HALF
    made = make_clip(test_data, tmp_path_factory.mktemp("clip"), last=last)
    yield made
    made.file.unlink()  # Hundreds of megabytes, which pytest would keep.


@pytest.fixture(scope="module")
def pictures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go."""
    folder = request.config.getoption("screenshots")
    return Path(folder) if folder else tmp_path_factory.mktemp("screenshots")


def open_capture(browser: Browser, camera: dict[str, Any], *, locale: str = "en-GB") -> Page:
    """The guard post's page, by the enrolment link, as a person would open it."""
    page = browser.new_context(locale=locale, viewport=SIZE).new_page()
    page.goto(camera["enrolment_url"])
    page.locator("main form button").click()
    page.wait_for_url(f"**/capture/{camera['slug']}/")
    return page


def say(page: Page, root: str) -> dict[str, Any]:
    """What a page says now: its attributes and its text."""
    said: dict[str, Any] = page.evaluate(
        "(root) => { const element = document.querySelector(root);"
        " return { ...element.dataset, text: element.innerText, lang: document.documentElement.lang }; }",
        root,
    )
    return said


CAPTURE, DASHBOARD = "[data-capture]", "[data-tile]"
ACKED = "document.querySelector('[data-capture]').dataset.acked"


@pytest.fixture(scope="module")
def played(product: Product, clip: Clip, playwright: Playwright, pictures: Path) -> Iterator[Played]:
    camera = product.add_camera("North gate")
    guard_post, operators = webcam.chromium(playwright, clip.file), webcam.chromium(playwright)
    try:
        dashboard = open_dashboard(operators, product)
        dashboard.evaluate(OBSERVE, camera["slug"])
        running = play.begin(product, clip, camera)
        capture = open_capture(guard_post, camera)
        said = {}

        def look(name: str, page: Page, root: str) -> None:
            said[name] = say(page, root)
            page.screenshot(path=pictures / f"{name}.png")

        second, third = clip.people[1], clip.people[2]
        running.wait_for(second[0] + 60)
        look("capture-person", capture, CAPTURE)
        look("dashboard-person", dashboard, DASHBOARD)
        korean = open_dashboard(operators, product, locale="ko-KR")
        korean.wait_for_selector(f"{DASHBOARD}[data-status=live][data-boxes='1']")
        look("dashboard-person-ko", korean, DASHBOARD)
        running.wait_for((second[1] + third[0]) // 2)
        look("capture-empty", capture, CAPTURE)
        look("dashboard-empty", dashboard, DASHBOARD)
        look("dashboard-empty-ko", korean, DASHBOARD)
        korean.context.close()
        running.wait_for(clip.last, timeout_s=clip.last / clip.fps)
        said["capture-end"] = say(capture, CAPTURE)
        capture.context.close()
        running.end()
        yield Played(running, sights(dashboard), said)
    finally:
        guard_post.close()
        operators.close()


# --- Visits ---


def test_each_person_is_one_visit_from_entering_to_leaving(played: Played) -> None:
    visits = played.play.visits()
    assert len(visits) == len(played.play.clip.people)
    for visit, (start, end) in zip(visits, played.play.people(), strict=True):
        assert visit.first_seen == pytest.approx(start, abs=EDGE_S)
        assert visit.last_seen == pytest.approx(end, abs=EDGE_S)
    # The camera was closed before the last visit's time was over.
    assert [visit.end_reason for visit in visits[:-1]] == ["left"] * (len(visits) - 1)


def test_each_person_has_a_clip(played: Played) -> None:
    play = played.play
    play.product.wait_until(
        lambda: all(clip.state == "ready" for clip in cuts.clips_of(play.product, play.camera_id)), 60
    )
    found = [(clip.start, clip.end) for clip in cuts.clips_of(play.product, play.camera_id)]
    cuts.check(found, play.people())


def test_a_visits_row_is_written_at_most_eight_times(played: Played) -> None:
    assert all(2 <= visit.writes <= 8 for visit in played.play.visits())


# --- The gate ---


def test_the_empty_room_is_refused(played: Played) -> None:
    def is_empty(each: Received) -> bool:
        gap = next((gap for gap in played.play.gaps() if gap[0] <= each.captured_at <= gap[1]), None)
        return gap is not None and gap[0] + GONE_S < each.captured_at < gap[1] - TOLERANCE / played.play.clip.fps

    empty = [entry for each, entry in played.verdicts() if is_empty(each) and entry.reason != "sample"]
    refused = [entry for entry in empty if entry.kind is not Kind.ADMITTED]
    assert len(empty) >= 30
    assert len(refused) >= 0.95 * len(empty)


def test_a_person_is_let_through(played: Played) -> None:
    inside = [
        entry
        for each, entry in played.verdicts()
        if any(start + 10 <= each.number <= end - 10 for start, end in played.play.clip.people)
    ]
    assert len(inside) >= 200
    assert sum(entry.kind is Kind.ADMITTED for entry in inside) >= 0.99 * len(inside)


def test_every_admitted_frame_is_analysed_once_and_in_order(played: Played) -> None:
    check_effects(played.play)


def check_effects(done: Play) -> None:
    admitted, rows = done.admitted(), done.rows()
    assert [(row.n, row.stream, row.seq) for row in rows] == [(each.n, each.stream, each.seq) for each in admitted]
    assert {entry.outcome for entry in admitted} == {Outcome.ANALYSED}
    assert not any(row.failed for row in rows)


# --- The dashboard ---


def test_boxes_and_visit_are_shown_in_time(played: Played) -> None:
    visits = played.play.visits()
    for visit, (start, _end) in zip(visits, played.play.people(), strict=True):
        assert played.sights.first_boxes(start - EDGE_S) - start <= BOX_S
        assert played.sights.visits[visit.id] - start <= VISIT_S


def test_no_box_is_shown_while_nobody_is_there(played: Played) -> None:
    for start, end in played.play.gaps():
        assert played.sights.most_boxes(start + GONE_S, end - GONE_S) == 0


def test_the_boxes_drawn_are_those_of_the_picture_shown(played: Played) -> None:
    """The number in the picture tells which frame it is; the track log tells where that frame's boxes are."""
    numbers = {each.seq: each.number for each in played.play.received}
    rows = {row.seq: row for row in played.play.rows()}
    with_boxes = 0
    for shown in played.sights.pictures:
        if shown.seq not in numbers:  # Of the file's second round.
            continue
        assert shown.number == numbers[shown.seq]
        boxes = rows[shown.seq].boxes if shown.seq in rows else []
        if shown.boxes:
            with_boxes += 1
            assert shown.boxes == len(boxes)
            left, right, bottom = edges(rows[shown.seq])
            assert shown.drawn is not None
            assert shown.drawn[::2] == pytest.approx((left, bottom), abs=0.015)
            assert shown.drawn[1] > right - 0.015  # A label may reach farther.
        else:
            assert shown.drawn is None
    assert with_boxes >= 150


def edges(row: Row) -> tuple[float, float, float]:
    """Left, right and bottom of all boxes together; their tops wear labels."""
    boxes = [[float(value or 0) for value in box[2:6]] for box in row.boxes]
    return min(box[0] for box in boxes), max(box[2] for box in boxes), max(box[3] for box in boxes)


# --- What the pages say ---


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_dashboard_says_who_is_there(played: Played, language: str) -> None:
    suffix = "" if language == "en" else "-ko"
    person, empty = played.said[f"dashboard-person{suffix}"], played.said[f"dashboard-empty{suffix}"]
    assert (person["status"], person["people"], person["boxes"]) == ("live", "1", "1")
    assert (empty["status"], empty["people"], empty["boxes"]) == ("quiet", "0", "0")
    with translation.override(language):
        words = {state: translation.gettext(word) for state, word in (("live", "Live"), ("quiet", "Quiet"))}
        rate = translation.gettext("{fps} pictures/s")
    for said, state in ((person, "live"), (empty, "quiet")):
        assert said["lang"] == language
        lines = said["text"].splitlines()
        assert words[state] in lines
        before, after = rate.split("{fps}")
        shown = next(
            line for line in lines if line.startswith(before) and line.endswith(after) and line != words[state]
        )
        assert float(shown.removeprefix(before).removesuffix(after)) == pytest.approx(5, abs=1.5)


def test_the_capture_page_says_how_it_goes(played: Played) -> None:
    person, empty, end = (played.said[f"capture-{name}"] for name in ("person", "empty", "end"))
    assert person["state"] in {"new", "updated", "present", "settled"}
    assert person["people"] == "1"
    assert (empty["state"], empty["people"]) == ("ready", "0")
    for said in (person, empty, end):
        assert said["connection"] == "open"
        assert float(said["fps"]) == pytest.approx(5, abs=1.5)
        assert float(said["rttMs"]) > 0
        assert said["problem"] == ""
    judged = played.play.judged()
    kinds = {"admitted": Kind.ADMITTED, "noMotion": Kind.NO_MOTION, "noPerson": Kind.NO_PERSON}
    counted = judged[: int(end["acked"]) - int(end["busy"])]
    for name, kind in kinds.items():
        assert int(end[name]) == sum(entry.kind is kind for entry in counted)
    assert 0 <= len(judged) - len(counted) <= 10
    assert (end["lost"], end["invalid"]) == ("0", "0")


# --- Shorter plays ---


@pytest.fixture(scope="module")
def one_person(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clip]:
    made = make_clip(test_data, tmp_path_factory.mktemp("clip"), first=200, last=480)
    assert len(made.people) == 1
    yield made
    made.file.unlink()


# Notes every change of what the page says of its connection and its acknowledged pictures.
OBSERVE_LINE = """
() => {
  const { dataset } = document.querySelector("[data-capture]");
  window.line = [];
  new MutationObserver(() => {
    const now = [dataset.connection === "open", Number(dataset.acked)];
    if (String(window.line.at(-1)?.slice(1)) !== String(now)) window.line.push([Date.now() / 1000, ...now]);
  }).observe(document.querySelector("[data-capture]"), { attributes: true });
}
"""


def test_a_kill_of_the_web_process_loses_nothing(
    product: Product,
    playwright: Playwright,
    one_person: Clip,
    pictures: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """It dies half a second before somebody comes in, so that the visit begins with pictures sent afterwards."""
    camera = product.add_camera("South gate")
    guard_post, operators = webcam.chromium(playwright, one_person.file), webcam.chromium(playwright)
    try:
        dashboard = open_dashboard(operators, product)
        running = play.begin(product, one_person, camera)
        capture = open_capture(guard_post, camera, locale="ko-KR")
        capture.evaluate(OBSERVE_LINE)
        running.wait_for(one_person.people[0][0] - 5)
        killed_at, last_seq = time.time(), running.watch.received[-1].seq
        product.kill("web")
        running.wait_until(lambda: any(row.seq > last_seq for row in running.rows()), BACK_S)
        analysed_after_s = time.time() - killed_at
        running.wait_for(one_person.people[0][1] - 50)
        dashboard.wait_for_selector(f"[data-line=open] {DASHBOARD}[data-camera={running.slug}][data-boxes='1']")
        person = say(capture, CAPTURE)
        capture.screenshot(path=pictures / "capture-person-ko.png")
        running.wait_for(one_person.last)
        empty = say(capture, CAPTURE)
        capture.screenshot(path=pictures / "capture-empty-ko.png")
        line = [change for change in capture.evaluate("window.line") if change[0] > killed_at]
        capture.context.close()
        running.end()
    finally:
        guard_post.close()
        operators.close()
    lost = max(acked for _at, is_open, acked in line if not is_open)
    acked_after_s = next(at for at, is_open, acked in line if is_open and acked > lost) - killed_at
    record_property("acked_after_s", acked_after_s)
    record_property("analysed_after_s", analysed_after_s)
    assert acked_after_s <= BACK_S
    assert analysed_after_s <= BACK_S
    (visit,), ((start, end),) = running.visits(), running.people()
    assert visit.first_seen == pytest.approx(start, abs=EDGE_S)
    assert visit.last_seen == pytest.approx(end, abs=EDGE_S)
    check_effects(running)
    seqs = [each.seq for each in running.received]
    assert seqs == list(range(1, len(seqs) + 1))
    assert (person["people"], empty["people"], empty["state"]) == ("1", "0", "ready")
    assert (person["lang"], person["lost"], empty["lost"]) == ("ko", "0", "0")


def test_a_tab_in_the_background_keeps_its_rate(
    product: Product, one_person: Clip, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    camera = product.add_camera("West gate")
    with Tabs(tmp_path / "home", one_person.file) as tabs:
        tabs.go(camera["enrolment_url"])
        tabs.wait_for("document.querySelector('main form button') !== null")
        tabs.evaluate("document.querySelector('main form button').click()")
        tabs.wait_for("Number(document.querySelector('[data-capture]')?.dataset.acked) >= 10")
        tabs.open_another()
        tabs.wait_for("document.visibilityState === 'hidden'")
        first, began = int(tabs.evaluate(ACKED)), time.monotonic()
        time.sleep(BACKGROUND_S)
        acked, for_s = int(tabs.evaluate(ACKED)) - first, time.monotonic() - began
        assert tabs.evaluate("document.visibilityState") == "hidden"
    record_property("background_fps", acked / for_s)
    assert acked >= 0.8 * TARGET_FPS * for_s
