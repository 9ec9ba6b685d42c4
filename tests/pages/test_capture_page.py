"""The capture page with a real webcam (Chromium's own) and a socket in the test's hand."""

from __future__ import annotations

import pytest

from cameras import images
from cameras.models import Camera, Zone
from tests.pages.conftest import NOW, SECURE, VisitPage

pytestmark = [pytest.mark.browser, pytest.mark.django_db]
WELCOME = {
    "type": "welcome",
    "camera": "gate-x",
    "last_seq": 0,
    "credit": 2,
    "target_fps": 5,
    "max_bytes": 1_000_000,
    "server_time": NOW,
}
# Answers every frame as the server would, and keeps it.
SERVE = """welcome => {
  const socket = sockets.at(-1);
  window.framesSent = [];
  socket.send = (data) => {
    if (typeof data === "string") return;
    const view = new DataView(data.buffer);
    const [seq, at] = [view.getUint32(4), view.getFloat64(8)];
    framesSent.push({ seq, at, maskVersion: view.getUint16(2), jpeg: [...data.subarray(16)] });
    const ack = { type: "ack", seq, verdict: "no_motion", reason: "no_motion", credit: 2, target_fps: 5 };
    setTimeout(() => socket.hear(JSON.stringify(ack)), 5);
  };
  socket.open();
  socket.hear(JSON.stringify(welcome));
}"""


def test_an_address_without_https_says_that_no_camera_can_be_had(visit_page: VisitPage) -> None:
    live = visit_page("/capture/gate-x/")
    live.page.wait_for_function("() => document.querySelector('[data-capture]').dataset.state === 'problem'")
    assert live.page.locator("[data-part=title]").inner_text() == "This address is not secure"
    assert "https://" in live.page.locator("[data-part=detail]").inner_text()


def test_the_webcams_pictures_are_sent_at_the_wanted_rate(visit_page: VisitPage) -> None:
    live = visit_page("/capture/gate-x/", origin=SECURE)
    live.page.evaluate(SERVE, WELCOME)
    live.page.wait_for_function("() => framesSent.length >= 20", timeout=20_000)
    found = live.page.evaluate("framesSent")
    assert [frame["seq"] for frame in found] == list(range(1, len(found) + 1))
    taken_s = found[-1]["at"] - found[4]["at"]
    assert (len(found) - 5) / taken_s == pytest.approx(5, abs=0.7)
    assert NOW - 1 < found[0]["at"] < NOW + 20
    # The fake device gives 640 by 480; nothing is cut off or squeezed.
    assert images.size_of(bytes(found[-1]["jpeg"])) == (640, 480)
    root = live.page.locator("[data-capture]")
    assert root.get_attribute("data-state") == "ready"
    assert root.get_attribute("data-connection") == "open"
    assert int(root.get_attribute("data-acked") or 0) >= 15
    assert live.page.locator("[data-part=lamp]").inner_text() == "Connected"
    assert live.problems == []


def test_a_stopped_camera_takes_no_pictures_until_it_is_started(visit_page: VisitPage) -> None:
    live = visit_page("/capture/gate-x/", origin=SECURE)
    live.page.evaluate(SERVE, WELCOME)
    live.page.wait_for_function("() => framesSent.length >= 3", timeout=20_000)
    live.page.click("[data-part=stop]")
    live.page.wait_for_timeout(300)
    count = live.page.evaluate("framesSent.length")
    live.page.wait_for_timeout(1_000)
    assert live.page.evaluate("framesSent.length") == count
    assert live.page.locator("[data-part=title]").inner_text() == "Camera stopped"
    live.page.click("[data-part=start]")
    live.page.wait_for_function("count => framesSent.length > count", arg=count, timeout=20_000)


def test_a_page_that_was_taken_over_can_take_the_camera_back(visit_page: VisitPage) -> None:
    live = visit_page("/capture/gate-x/", origin=SECURE)
    live.page.evaluate(SERVE, WELCOME)
    live.page.wait_for_function("() => framesSent.length >= 2", timeout=20_000)
    live.page.evaluate("sockets.at(-1).drop(4409)")
    live.page.click("[data-part=takeBack]")
    live.page.evaluate(SERVE, {**WELCOME, "last_seq": 2})
    live.page.wait_for_function("() => framesSent.length >= 2", timeout=20_000)
    assert min(frame["seq"] for frame in live.page.evaluate("framesSent")) > 2


def test_masks_are_in_every_picture_before_it_is_encoded_and_in_the_preview(
    visit_page: VisitPage, camera_x: Camera
) -> None:
    """The very first pictures too: the page comes with its masks. Others hold as soon as the server names them."""
    top, left = [[0, 0], [1, 0], [1, 0.5], [0, 0.5]], [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]
    Zone.objects.create(camera=camera_x, name="Window", kind=Zone.Kind.MASK, points=top)
    Camera.objects.filter(pk=camera_x.pk).update(mask_version=3)
    live = visit_page("/capture/gate-x/", origin=SECURE)
    live.page.wait_for_function("() => Number(document.querySelector('[data-capture]').dataset.buffered) >= 2")
    live.page.evaluate(SERVE, {**WELCOME, "masks": [top], "mask_version": 3})
    live.page.wait_for_function("() => framesSent.length >= 4", timeout=20_000)
    found = live.page.evaluate("framesSent")
    assert {frame["maskVersion"] for frame in found} == {3}
    for frame in found:
        picture = images.decode_bgr(bytes(frame["jpeg"]))
        assert picture[:230].max() < 16
        assert picture[250:].max() > 60
    shape = live.page.locator("[data-masks] polygon")
    assert shape.get_attribute("points") == "0,0 640,0 640,240 0,240"
    live.say({"type": "masks", "masks": [left], "mask_version": 4})
    live.page.wait_for_function("() => framesSent.some((frame) => frame.maskVersion === 4)", timeout=20_000)
    later = next(frame for frame in live.page.evaluate("framesSent") if frame["maskVersion"] == 4)
    picture = images.decode_bgr(bytes(later["jpeg"]))
    assert picture[:, :310].max() < 16
    assert picture[:230, 330:].max() > 60
    assert live.problems == []
