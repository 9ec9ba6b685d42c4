"""Zones drawn in the admin with a real browser's mouse and keys, and what a capture page then does with them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page

from accounts.models import User
from cameras import images, live
from cameras.models import Camera, Zone
from tests.build import make_frame
from tests.pages.conftest import NOW, SECURE, Live, VisitPage
from tests.pages.test_capture_page import SERVE, WELCOME

pytestmark = [pytest.mark.browser, pytest.mark.django_db]
FIELDS = "() => Object.fromEntries(new FormData(document.querySelector('[data-zones]')))"


@pytest.fixture
def drawing(client: Client, alice: User, camera_x: Camera, visit_page: VisitPage) -> Live:
    """The page on which alice draws, over a picture of her camera."""
    client.force_login(alice)
    picture = images.encode_jpeg(np.full((480, 640, 3), 180, np.uint8))
    live.publish(make_frame(camera_id=camera_x.pk, jpeg=picture), admitted=True)
    address, of_picture = (reverse(f"admin:cameras_camera_{name}", args=[camera_x.pk]) for name in ("zones", "picture"))
    opened = visit_page(address, of_picture)
    opened.page.wait_for_selector("[data-zones][data-ready]")
    live.forget(camera_x.pk)
    return opened


def click(page: Page, x: float, y: float) -> None:
    box = page.locator("[data-canvas]").bounding_box()
    assert box
    page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])


def drag(page: Page, start: tuple[float, float], to: tuple[float, float]) -> None:
    box = page.locator("[data-canvas]").bounding_box()
    assert box
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, to)]
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=4)
    page.mouse.up()


def points_of(page: Page, number: int) -> list[list[float]]:
    found: list[list[float]] = json.loads(page.input_value(f"[name=zones-{number}-points]"))
    return found


def save(drawing: Live, client: Client, camera: Camera) -> None:
    """What the button sends; the page itself has no server here."""
    fields: dict[str, Any] = drawing.page.evaluate(FIELDS)
    answer = client.post(reverse("admin:cameras_camera_zones", args=[camera.pk]), fields)
    assert answer.status_code == 302, answer.content.decode()


def test_a_mask_drawn_with_the_mouse_is_black_in_what_the_capture_page_sends(
    drawing: Live, client: Client, camera_x: Camera, visit_page: VisitPage
) -> None:
    page = drawing.page
    page.click("[data-new=mask]")
    for x, y in ((0.5, 0.0), (1.0, 0.0), (1.0, 0.5)):
        click(page, min(x, 0.999), y + 0.001)
    click(page, 0.5, 0.5)
    assert page.locator("[data-end]").is_visible()
    click(page, 0.502, 0.005)  # The first corner again.
    assert page.locator(".zone-mask polygon").count() == 1
    page.fill("[name=zones-0-name]", "Neighbour")
    drag(page, (0.5, 0.5), (0.4, 0.6))
    assert np.allclose(points_of(page, 0), [[0.5, 0.0], [1.0, 0.0], [1.0, 0.5], [0.4, 0.6]], atol=0.01)
    assert drawing.problems == []
    save(drawing, client, camera_x)
    zone = Zone.objects.get()
    assert (zone.name, zone.kind) == ("Neighbour", "mask")

    capture = visit_page("/capture/gate-x/", origin=SECURE)
    capture.page.evaluate(SERVE, {**WELCOME, "masks": zone.camera.masks().polygons, "mask_version": 1})
    capture.page.wait_for_function("() => framesSent.length >= 3", timeout=20_000)
    for frame in capture.page.evaluate("framesSent"):
        sent = images.decode_bgr(bytes(frame["jpeg"]))
        assert frame["maskVersion"] == 1
        assert sent[20:220, 340:620].max() < 16
        assert sent[330:, :200].max() > 60


def test_zones_are_drawn_and_changed_with_keys_alone(drawing: Live, client: Client, camera_x: Camera) -> None:
    page = drawing.page
    page.focus("[data-new=area]")
    page.keyboard.press("Enter")
    for keys in (["Space"], ["Shift+ArrowRight"] * 4 + ["Space"], ["Shift+ArrowDown"] * 4 + ["Space", "Enter"]):
        for key in keys:
            page.keyboard.press(key)
    assert points_of(page, 0) == [[0.5, 0.5], [0.7, 0.5], [0.7, 0.7]]
    page.keyboard.type("Desk")
    page.fill("[name=zones-0-loiter_s]", "30")
    page.focus("[data-corner='1']")
    page.keyboard.press("Shift+ArrowRight")
    page.focus("[data-between='2']")
    page.keyboard.press("Enter")
    assert points_of(page, 0) == [[0.5, 0.5], [0.75, 0.5], [0.7, 0.7], [0.6, 0.6]]
    page.focus("[data-corner='3']")
    page.keyboard.press("Delete")
    page.keyboard.press("Delete")  # Three corners are the least.
    assert len(points_of(page, 0)) == 3
    page.click("[data-new=line]")
    click(page, 0.2, 0.2)
    click(page, 0.2, 0.8)
    before = points_of(page, 1)
    page.click("[data-zone]:nth-child(2) [data-turn]")
    assert points_of(page, 1) == before[::-1]
    page.click("[data-new=mask]")
    page.focus("[data-canvas]")
    page.keyboard.press("Escape")
    assert page.locator("[data-zone]").count() == 2 + 2  # Rows and shapes.
    save(drawing, client, camera_x)
    assert [(zone.name, zone.kind, zone.loiter_s) for zone in Zone.objects.order_by("name")] == [
        ("Desk", "area", 30.0),
        ("Line 1", "line", None),
    ]
    assert drawing.problems == []


def test_areas_and_lines_are_drawn_on_the_live_picture_with_who_is_in_them(
    visit_page: VisitPage, camera_x: Camera
) -> None:
    square = [[0.5, 0.5], [1, 0.5], [1, 1], [0.5, 1]]
    desk = Zone.objects.create(camera=camera_x, name="Desk", kind="area", points=square, loiter_s=60)
    Zone.objects.create(camera=camera_x, name="Door", kind="line", points=[[0.2, 0.2], [0.2, 0.8]])
    Zone.objects.create(camera=camera_x, name="Window", kind="mask", points=square)
    opened = visit_page("/cameras/gate-x/", "/alarms/")
    opened.open()
    opened.show(1)
    labels = opened.page.locator("[data-zones] text")
    assert labels.all_text_contents() == ["Desk", "Door"]  # A mask is in the picture itself.
    assert opened.page.locator("[data-zones] .zone-area polygon").get_attribute("points") == (
        "80.0,45.0 160.0,45.0 160.0,90.0 80.0,90.0"
    )
    tracks = {"type": "tracks", "camera": "gate-x", "stream": "a" * 32, "captured_at": NOW, "people": 2, "boxes": []}
    opened.say({**tracks, "seq": 1, "zones": {str(desk.pk): 2}})
    opened.page.wait_for_function("() => document.querySelector('[data-zones] text').textContent === 'Desk · 2'")
    assert opened.page.locator("[data-zone-counts] tbody tr").count() == 2
    assert opened.problems == []
