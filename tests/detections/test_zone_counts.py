"""A camera's zones on its page and in a visit's course."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.asserts import assertContains, assertNotContains

from accounts.models import User
from cameras.models import Camera, Zone
from detections import zone_counts
from detections.models import Visit, ZoneEvent

pytestmark = pytest.mark.django_db
SQUARE = [[0.1, 0.1], [0.5, 0.1], [0.5, 0.5]]


@pytest.fixture
def visit(camera_x: Camera) -> Visit:
    now = timezone.now()
    return Visit.objects.create(camera=camera_x, stream="a" * 32, first_seq=1, first_seen=now, last_seen=now)


@pytest.fixture
def happened(camera_x: Camera, visit: Visit) -> dict[str, Zone]:
    desk = Zone.objects.create(camera=camera_x, name="Desk", kind="area", points=SQUARE, loiter_s=30)
    door = Zone.objects.create(camera=camera_x, name="Door", kind="line", points=SQUARE[:2])
    Zone.objects.create(camera=camera_x, name="Window", kind="mask", points=SQUARE)
    now = timezone.now()
    rows: list[dict[str, Any]] = [
        {"zone": desk, "kind": "entered", "at": now},
        {"zone": desk, "kind": "loitered", "at": now},
        *({"zone": door, "kind": "crossed", "direction": "in", "at": now - timedelta(seconds=n)} for n in range(3)),
        {"zone": door, "kind": "crossed", "direction": "out", "at": now - timedelta(seconds=9)},
        {"zone": door, "kind": "crossed", "direction": "out", "at": now - timedelta(days=2)},
    ]
    for row in rows:
        ZoneEvent.objects.create(camera=camera_x, visit=visit, **row)
    return {"desk": desk, "door": door}


def test_what_happened_is_counted_by_zone_within_the_time(
    camera_x: Camera, camera_y: Camera, happened: dict[str, Zone], django_assert_num_queries: Any
) -> None:
    now = timezone.now()
    with django_assert_num_queries(2):
        desk, door = zone_counts.counts_of(camera_x, now - timedelta(days=1), now + timedelta(minutes=1))
    assert (desk.zone.name, desk.entered, desk.loitered) == ("Desk", 1, 1)
    assert (door.zone.name, door.crossed) == ("Door", {"in": 3, "out": 1})
    with django_assert_num_queries(1):
        assert zone_counts.counts_of(camera_y, now - timedelta(days=1), now) == []


def test_the_cameras_page_shows_them_and_draws_no_mask(
    client: Client, bob: User, camera_x: Camera, happened: dict[str, Zone]
) -> None:
    client.force_login(bob)
    page = client.get(reverse("detections:camera", args=[camera_x.slug]))
    assertContains(page, "Zones on this day")
    assertContains(page, '<td class="number">3</td><td class="number">1</td>', html=True)
    assertContains(page, 'id="camera-zones"')
    assertNotContains(page, "Window")


def test_a_camera_without_zones_has_no_table_of_them(client: Client, bob: User, camera_x: Camera) -> None:
    client.force_login(bob)
    page = client.get(reverse("detections:camera", args=[camera_x.slug]))
    assertNotContains(page, "Zones on this day")
    assertNotContains(page, "data-zones")


def test_a_visits_course_says_what_it_did_in_zones(
    client: Client, bob: User, visit: Visit, happened: dict[str, Zone]
) -> None:
    client.force_login(bob)
    page = client.get(visit.get_absolute_url())
    for said in ("Came into Desk", "Loitered in Desk", "Crossed Door, in", "Crossed Door, out"):
        assertContains(page, said)
