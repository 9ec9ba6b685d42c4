"""Pages as Django renders them, in a real Chromium under the site's own CSP; their sockets are in the test's hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cameras import frames, images
from cameras.models import Camera
from tests.pages.conftest import NOW, Live, VisitPage

pytestmark = [pytest.mark.browser, pytest.mark.django_db]
VISIT = "5e9d4a1c-0000-4000-8000-000000000001"


@pytest.fixture
def live(visit_page: VisitPage) -> Iterator[Live]:
    """The dashboard with its line open."""
    live = visit_page("/", "/alarms/")
    live.open()
    yield live
    assert live.problems == []


def camera_message(status: str, **changes: Any) -> dict[str, Any]:
    usual = {"name": "Gate X", "since": NOW, "fps": 5.0, "lag_s": 0.0, "people": 0, "last_captured_at": NOW}
    return {"type": "camera", "camera": "gate-x", "status": status, **usual, **changes}


def tracks_message(seq: int, count: int) -> dict[str, Any]:
    boxes = [{"track": n, "visit": None, "xyxy": [0.1, 0.1, 0.4, 0.9], "confidence": 0.9} for n in range(count)]
    return {"type": "tracks", "camera": "gate-x", "stream": "a" * 32, "seq": seq, "captured_at": NOW, "boxes": boxes}


def visit_message(event: str, state: str = "present", **changes: Any) -> dict[str, Any]:
    usual = {"ended_at": None, "end_reason": "", "settled": False, "verified": True, "picture": None}
    visit = {"id": VISIT, "state": state, "first_seen": NOW, "last_seen": NOW + 3, **usual, **changes}
    return {"type": "visit", "event": event, "camera": "gate-x", "visit": visit}


def test_it_watches_every_camera_of_the_page(live: Live) -> None:
    assert live.sent() == [{"type": "watch", "cameras": ["gate-x"], "pictures": True}]


def test_a_picture_is_drawn_with_its_own_boxes_and_acknowledged(live: Live) -> None:
    live.say(camera_message("live"))
    live.say(tracks_message(7, 2))
    live.show(7)
    assert (live.tile("seq"), live.tile("boxes")) == ("7", "2")
    assert live.sent()[-1] == {"type": "ack", "camera": "gate-x", "seq": 7}
    # The next one was refused by the gate: it has no boxes, and those of the last must not stay.
    live.show(8)
    assert (live.tile("seq"), live.tile("boxes")) == ("8", "0")


def test_boxes_that_come_late_are_drawn_on_the_picture_they_belong_to(live: Live) -> None:
    live.say(camera_message("live"))
    live.show(7)
    live.say(tracks_message(6, 1))
    assert live.tile("boxes") == "0"
    live.say(tracks_message(7, 3))
    assert live.tile("boxes") == "3"


def test_the_boxes_lie_on_the_picture(live: Live) -> None:
    live.say(camera_message("live"))
    live.say(tracks_message(7, 1))
    live.show(7)
    painted = live.page.evaluate(
        """() => {
          const canvas = document.querySelector("[data-overlay]");
          const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          const columns = new Set(), rows = new Set();
          for (let at = 3; at < data.length; at += 4) {
            if (data[at] < 200) continue;
            columns.add(((at - 3) / 4) % width);
            rows.add(Math.floor((at - 3) / 4 / width));
          }
          return [Math.min(...columns) / width, Math.max(...columns) / width, Math.min(...rows) / height];
        }"""
    )
    assert painted == pytest.approx([0.1, 0.4, 0.1], abs=0.02)


@pytest.mark.parametrize(
    ("message", "word", "beside"),
    [
        (camera_message("live"), "Live", "5.0 pictures/s"),
        (camera_message("quiet"), "Quiet", "5.0 pictures/s"),
        (camera_message("behind", lag_s=3.2), "Behind", "3 s behind"),
        (camera_message("unanalysed"), "Not analysed", "5.0 pictures/s"),
        (camera_message("off"), "Switched off", ""),
        (camera_message("silent", since=0, last_captured_at=None), "No picture yet", ""),
    ],
)
def test_the_lamp_says_how_the_camera_is(live: Live, message: dict[str, Any], word: str, beside: str) -> None:
    live.say(message)
    assert live.tile("status") == message["status"]
    assert live.page.locator("[data-status-word]").inner_text() == word
    assert live.page.locator("[data-rate]").inner_text() == beside


@pytest.mark.parametrize("status", ["silent", "frozen"])
def test_an_old_picture_is_not_passed_off_as_the_present(live: Live, status: str) -> None:
    live.say(camera_message("live"))
    live.say(tracks_message(7, 2))
    live.show(7)
    live.say(camera_message(status))
    assert live.tile("boxes") == "0"
    assert live.page.locator("[data-note]").inner_text().startswith("Last picture")
    assert "since" in live.page.locator("[data-rate]").inner_text()


def test_without_a_line_nothing_is_known(live: Live) -> None:
    live.say(camera_message("live"))
    live.say(visit_message("current"))
    live.page.evaluate("sockets.at(-1).drop(1006)")
    assert (live.tile("status"), live.tile("people")) == ("unknown", "0")
    assert live.page.locator("span[data-line]").inner_text() == "No connection, trying again…"
    live.page.wait_for_function("() => sockets.length === 2")
    live.open()
    assert live.sent()[0]["type"] == "watch"


def test_who_is_there_is_shown_until_they_leave(live: Live) -> None:
    live.say(camera_message("live"))
    live.say(visit_message("started"))
    assert live.tile("people") == "1"
    assert live.page.locator("[data-there] .chip").count() == 1
    assert live.page.locator("[data-people-total]").inner_text() == "1 person there now"
    live.say(visit_message("changed", "out_of_sight"))
    assert live.tile("people") == "0"
    live.say(visit_message("ended", "ended", end_reason="left"))
    assert live.page.locator("[data-there] .chip").count() == 0


def recording_message(event: str, id_: str = VISIT) -> dict[str, Any]:
    body = {
        "id": id_,
        "state": "recording",
        "reason": "presence",
        "start": NOW,
        "end": NOW,
        "max_people": 1,
        "url": "/",
    }
    return {"type": "recording", "event": event, "camera": "gate-x", "recording": body}


def test_the_tile_says_when_the_camera_is_being_recorded(live: Live) -> None:
    mark, other = live.page.locator("[data-recording-mark]"), VISIT.replace("1", "2")
    assert not mark.is_visible()
    for event, id_, is_visible in [
        ("started", VISIT, True),
        ("started", other, True),
        ("ended", VISIT, True),  # The other one goes on.
        ("ready", VISIT, True),
        ("ended", other, False),
    ]:
        live.say(recording_message(event, id_))
        assert mark.is_visible() == is_visible
    live.say(recording_message("started"))
    live.page.evaluate("sockets.at(-1).drop(1006)")
    assert not mark.is_visible()


def test_the_feed_follows_a_visit_from_start_to_end(live: Live) -> None:
    assert live.page.locator("[data-feed-empty]").is_visible()
    item = live.page.locator(f'[data-visit="{VISIT}"]')
    live.say(visit_message("started"))
    assert item.get_attribute("data-state") == "present"
    assert item.locator("a").get_attribute("href") == f"/visits/{VISIT}/"
    assert item.locator("[data-camera-name]").inner_text() == "Gate X"
    assert not live.page.locator("[data-feed-empty]").is_visible()
    live.say(visit_message("settled", settled=True, verified=False))
    assert item.get_attribute("data-settled") == "true"
    assert item.locator("[data-unverified]").is_visible()
    live.say(visit_message("ended", "ended", end_reason="camera_lost"))
    assert item.count() == 1
    assert item.locator("[data-word]").inner_text() == "Camera lost"
    assert item.locator("[data-duration]").inner_text() == "0:03"


def test_the_feed_stays_within_its_length(live: Live) -> None:
    for n in range(40):
        live.say(visit_message("started", id=f"{VISIT[:-2]}{n:02}", first_seen=NOW + n))
    shown = live.page.locator("[data-feed] [data-visit]").evaluate_all(
        "items => items.map((item) => item.dataset.visit)"
    )
    assert shown == [f"{VISIT[:-2]}{n:02}" for n in range(39, 9, -1)]


def test_the_filter_hides_tiles_and_stays_in_the_address(live: Live) -> None:
    tile = live.page.locator("[data-tile]")
    live.page.fill("[name=q]", "nowhere")
    assert not tile.is_visible()
    assert live.page.url.endswith("?q=nowhere")
    live.page.fill("[name=q]", "GATE")
    assert tile.is_visible()
    live.page.check("[name=people]")
    assert not tile.is_visible()
    live.say(visit_message("started"))
    assert tile.is_visible()


def test_a_tile_out_of_sight_takes_no_more_pictures(live: Live) -> None:
    live.say(camera_message("live"))
    live.show(1)
    live.page.fill("[name=q]", "nowhere")
    live.page.wait_for_timeout(200)
    jpeg = images.encode_jpeg(np.zeros((90, 160, 3), np.uint8))
    message = bytes([6]) + b"gate-x" + frames.header(2, NOW) + jpeg
    live.page.evaluate("bytes => sockets.at(-1).hear(new Uint8Array(bytes).buffer)", list(message))
    live.page.wait_for_timeout(200)
    assert live.sent()[-1]["seq"] == 1
    live.page.fill("[name=q]", "")
    live.page.wait_for_function("() => sockets.at(-1).sent.at(-1).seq === 2")
    assert live.tile("seq") == "1"  # What was held back is old by now.


def test_a_broken_picture_does_not_stop_the_next(live: Live) -> None:
    message = bytes([6]) + b"gate-x" + frames.header(1, NOW) + b"\xff\xd8 no picture"
    live.page.evaluate("bytes => sockets.at(-1).hear(new Uint8Array(bytes).buffer)", list(message))
    live.page.wait_for_function("() => sockets.at(-1).sent.some((each) => each.seq === 1)")
    live.show(2)
    assert live.tile("seq") == "2"


def test_arrows_lead_from_tile_to_tile_and_enter_to_its_day(visit_page: VisitPage, camera_x: Camera) -> None:
    Camera.objects.create(name="Gate Z", unit=camera_x.unit)
    live = visit_page("/", "/cameras/gate-z/", "/alarms/")
    live.open()
    live.page.keyboard.press("ArrowRight")
    live.page.keyboard.press("ArrowRight")
    assert live.page.evaluate("document.activeElement.dataset.camera") == "gate-z"
    live.page.keyboard.press("/")
    assert live.page.evaluate("document.activeElement.name") == "q"
    live.page.locator("[data-camera=gate-z][data-tile]").focus()
    live.page.keyboard.press("Enter")
    live.page.wait_for_url("**/cameras/gate-z/")
    assert live.problems == []


def test_the_days_strip_is_read_with_keys(visit_page: VisitPage, camera_x: Camera) -> None:
    live = visit_page(f"/cameras/{camera_x.slug}/?date=2026-03-04", "/alarms/")
    strip = live.page.locator("[data-strip]")
    strip.focus()
    live.page.keyboard.press("Home")
    assert live.page.locator("[data-strip-detail]").inner_text().endswith("No picture")
    live.page.keyboard.press("Shift+ArrowRight")
    live.page.keyboard.press("ArrowRight")
    assert strip.get_attribute("aria-valuenow") == "61"
    assert strip.get_attribute("aria-valuetext") == live.page.locator("[data-strip-detail]").inner_text()
    assert live.page.locator("[data-cursor]:not([hidden])").count() == 1
    assert live.problems == []


def test_the_list_offers_new_visits_and_follows_those_it_shows(visit_page: VisitPage) -> None:
    live = visit_page("/visits/")
    live.open()
    assert live.sent()[0]["pictures"] is False
    live.say(visit_message("started"))
    assert live.page.locator("[data-newer]").inner_text() == "1 new visit: show it"
    assert live.problems == []


# --- All of them ---


def test_every_page_fits_a_small_phone(visit_page: VisitPage, camera_x: Camera) -> None:
    for path in [
        "/",
        "/visits/",
        f"/cameras/{camera_x.slug}/",
        f"/capture/{camera_x.slug}/",
        "/capture/",
        "/password/",
    ]:
        live = visit_page(path)
        live.page.set_viewport_size({"width": 320, "height": 640})
        overflow = live.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert (path, overflow) == (path, 0)


def test_no_page_needs_what_the_csp_forbids() -> None:
    forbidden = {" style=", "<style", " onclick=", " onload=", " onsubmit=", "javascript:", "http://", "https://"}
    allowed = {"http-equiv"}
    for template in Path("templates").rglob("*.html"):
        if template.parts[1] in ("omil", "admin"):
            continue
        text = template.read_text()
        for word in allowed:
            text = text.replace(word, "")
        text = text.replace("https:// address", "")
        assert not [word for word in forbidden if word in text], template
        assert "<script>" not in text, template
