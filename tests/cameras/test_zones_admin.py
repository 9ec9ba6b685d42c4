"""Drawing zones in the admin: what is saved, what is refused, who may, and that a change of masks is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoCaptureOnCommitCallbacks
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from accounts.models import User
from cameras import folders, live, masking
from cameras.masking import read
from cameras.models import Camera, Zone
from cameras.zones import Masks
from tests.build import make_frame
from tests.fakes import numbered_picture

pytestmark = pytest.mark.django_db
SQUARE = [[0.1, 0.1], [0.5, 0.1], [0.5, 0.5], [0.1, 0.5]]
LINE = [[0.1, 0.9], [0.9, 0.9]]


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def page(camera: Camera, name: str = "zones") -> str:
    return reverse(f"admin:cameras_camera_{name}", args=[camera.pk])


def row(name: str, kind: str, points: Any, **more: Any) -> dict[str, Any]:
    return {"id": "", "name": name, "kind": kind, "loiter_s": "", "points": json.dumps(points), **more}


def form(*rows: dict[str, Any], known: int = 0) -> dict[str, str]:
    fields = {f"zones-{n}-{name}": value for n, each in enumerate(rows) for name, value in each.items()}
    return {"zones-TOTAL_FORMS": str(len(rows)), "zones-INITIAL_FORMS": str(known), **fields}


def test_zones_are_saved_and_the_masks_hold_at_once(
    as_alice: Client, camera_x: Camera, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    live.publish(make_frame(camera_id=camera_x.pk, received_at=1e10), admitted=True)
    rows = [row("Window", "mask", SQUARE), row("Desk", "area", SQUARE, loiter_s="90"), row("Door", "line", LINE)]
    with django_capture_on_commit_callbacks(execute=True):
        assertRedirects(as_alice.post(page(camera_x), form(*rows)), page(camera_x))
    camera_x.refresh_from_db()
    assert camera_x.mask_version == 1
    assert camera_x.masks() == Masks(1, (tuple((x, y) for x, y in SQUARE),))
    assert read(folders.of(camera_x.pk)) == camera_x.masks()
    assert live.newest(camera_x.pk) is None
    assert [(zone.name, zone.kind, zone.loiter_s, zone.points) for zone in camera_x.zones.all()] == [
        ("Desk", "area", 90.0, SQUARE),
        ("Door", "line", None, LINE),
        ("Window", "mask", None, SQUARE),
    ]
    entry = LogEntry.objects.get()
    assert "Window" in entry.get_change_message()
    assert entry.get_edited_object() == camera_x


def test_only_a_change_of_masks_is_one_more_version_of_them(as_alice: Client, camera_x: Camera) -> None:
    mask = Zone.objects.create(camera=camera_x, name="Window", kind="mask", points=SQUARE)
    line = Zone.objects.create(camera=camera_x, name="Door", kind="line", points=LINE)
    Camera.objects.filter(pk=camera_x.pk).update(mask_version=4)

    def version_after(*rows: dict[str, Any]) -> int:
        assert as_alice.post(page(camera_x), form(*rows, known=2)).status_code == 302
        camera_x.refresh_from_db()
        return camera_x.mask_version

    kept, moved = {"id": mask.pk}, {"id": line.pk}
    assert version_after(row("Gate", "line", LINE, **moved), row("Window", "mask", SQUARE, **kept)) == 4
    assert version_after(row("Gate", "line", LINE, **moved), row("Pane", "mask", SQUARE, **kept)) == 4
    assert version_after(row("Gate", "line", LINE, **moved), row("Pane", "mask", SQUARE[:3], **kept)) == 5
    assert version_after(row("Gate", "line", LINE, **moved), row("Pane", "area", SQUARE[:3], **kept)) == 6
    deleted = row("Gate", "line", LINE, DELETE="on", **moved)
    assert version_after(deleted, row("Pane", "mask", SQUARE[:3], **kept)) == 7
    assert camera_x.zones.count() == 1
    assert LogEntry.objects.count() == 5


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([row("A", "mask", [[0, 0], [1, 1], [1, 0], [0, 1]])], "must not cross each other"),
        ([row("A", "area", LINE)], "3 to 32 corners"),
        ([row("A", "line", SQUARE)], "two ends"),
        ([row("A", "line", [[0, 0], [2, 1]])], "outside of the picture"),
        ([row("A", "mask", "x")], "pairs of numbers"),
        ([{**row("A", "mask", SQUARE), "points": "["}], "Enter a valid JSON"),
        ([row("", "mask", SQUARE)], "This field is required"),
        ([row("A", "ring", SQUARE)], "Select a valid choice"),
        ([row("A", "area", SQUARE, loiter_s="0")], "greater than or equal to 1"),
        ([row("A", "mask", SQUARE), row("A", "line", LINE)], "Two zones cannot have one name"),
        ([row(f"A{n}", "mask", SQUARE) for n in range(33)], "at most 32 forms"),
    ],
)
def test_what_is_no_zone_changes_nothing(
    as_alice: Client, camera_x: Camera, rows: list[dict[str, Any]], said: str
) -> None:
    answer = as_alice.post(page(camera_x), form(*rows))
    assertContains(answer, said)
    assertContains(answer, "Nothing was saved yet")
    camera_x.refresh_from_db()
    assert (camera_x.zones.count(), camera_x.mask_version) == (0, 0)


def test_a_mask_may_not_be_moved_to_another_camera_by_its_number(
    as_alice: Client, camera_x: Camera, camera_y: Camera
) -> None:
    foreign = Zone.objects.create(camera=camera_y, name="Window", kind="mask", points=SQUARE)
    as_alice.post(page(camera_x), form(row("Mine", "area", SQUARE[:3], id=foreign.pk), known=1))
    foreign.refresh_from_db()
    assert (foreign.name, foreign.camera_id, foreign.points) == ("Window", camera_y.pk, SQUARE)


def test_a_camera_is_drawn_on_only_by_those_who_manage_it(
    client: Client, camera_y: Camera, alice: User, bob: User
) -> None:
    for user, status in ((alice, 404), (bob, 404)):
        client.force_login(user)
        for name in ("zones", "picture"):
            assert client.get(page(camera_y, name)).status_code in (status, 302, 403)
        client.post(page(camera_y), form(row("Window", "mask", SQUARE)))
    assert not Zone.objects.exists()


def test_without_a_picture_the_page_says_what_to_do_and_takes_corners_by_hand(
    as_alice: Client, camera_x: Camera
) -> None:
    answer = as_alice.get(page(camera_x))
    assertContains(answer, reverse("cameras:capture", args=[camera_x.slug]))
    assertContains(answer, 'name="zones-0-points"')
    assertNotContains(answer, "data-canvas")
    assert ">null<" not in answer.content.decode().replace("\n", "")
    assert as_alice.get(page(camera_x, "picture")).status_code == 404
    assertContains(as_alice.get(reverse("admin:cameras_camera_change", args=[camera_x.pk])), page(camera_x))


def test_the_newest_picture_is_drawn_on_however_old(as_alice: Client, camera_x: Camera) -> None:
    live.publish(make_frame(camera_id=camera_x.pk, jpeg=numbered_picture(3)), admitted=True)
    try:
        assertContains(as_alice.get(page(camera_x)), page(camera_x, "picture"))
        picture = as_alice.get(page(camera_x, "picture"))
        assert picture.content == numbered_picture(3)
        assert "no-store" in picture["Cache-Control"]
    finally:
        live.forget(camera_x.pk)


def test_the_clock_writes_what_the_admins_process_could_not(camera_x: Camera) -> None:
    Zone.objects.create(camera=camera_x, name="Window", kind="mask", points=SQUARE)
    Camera.objects.filter(pk=camera_x.pk).update(mask_version=2)
    camera_x.refresh_from_db()
    masking.catch_up(camera_x.pk, 2, camera_x.masks)
    assert read(folders.of(camera_x.pk)) == camera_x.masks()
