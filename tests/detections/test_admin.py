from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from cameras.models import Camera
from detections.models import Visit
from tests.build import STREAM

LIST = reverse("admin:detections_visit_changelist")


def make_visit(camera: Camera, **changes: Any) -> Visit:
    now = timezone.now()
    values: dict[str, Any] = {"first_seen": now - timedelta(seconds=75), "last_seen": now, "state": Visit.State.ENDED}
    return Visit.objects.create(camera=camera, stream=STREAM, first_seq=1, **{**values, **changes})


@pytest.fixture
def visit_x(camera_x: Camera) -> Visit:
    name = "visits/1/picture.jpg"
    path = Path(settings.MEDIA_ROOT) / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"picture")
    return make_visit(camera_x, picture=name)


def page_of(visit: Visit) -> str:
    return reverse("admin:detections_visit_change", args=[visit.pk])


def test_a_unit_admin_sees_the_visits_of_the_unit_and_no_others(
    client: Client, alice: User, visit_x: Visit, camera_y: Camera
) -> None:
    other = make_visit(camera_y)
    client.force_login(alice)
    shown = client.get(LIST).content.decode()
    assert str(visit_x.camera) in shown
    assert "1:15" in shown
    assert str(camera_y) not in shown
    assert client.get(page_of(visit_x)).status_code == 200
    assert client.get(page_of(other)).status_code == 302, "as for a visit that does not exist"


@pytest.mark.parametrize("who", ["bob", "gina", "charlie", "pending"])
def test_nobody_else_of_the_unit_or_of_another_gets_in(
    client: Client, who: str, visit_x: Visit, request: pytest.FixtureRequest
) -> None:
    client.force_login(request.getfixturevalue(who))
    assert client.get(LIST).status_code in {302, 403}
    assert client.get(page_of(visit_x)).status_code in {302, 403}


def test_what_analysis_wrote_cannot_be_changed_or_made_up(client: Client, root: User, visit_x: Visit) -> None:
    client.force_login(root)
    client.post(page_of(visit_x), {"state": "present", "stream": "changed"})
    visit_x.refresh_from_db()
    assert (visit_x.state, visit_x.stream) == (Visit.State.ENDED, STREAM)
    assert client.get(reverse("admin:detections_visit_add")).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_a_deleted_visit_takes_its_picture_with_it(client: Client, root: User, visit_x: Visit) -> None:
    client.force_login(root)
    chosen = {"action": "delete_selected", "_selected_action": [str(visit_x.pk)], "post": "yes"}
    client.post(LIST, chosen)
    assert not Visit.objects.exists()
    assert not (Path(settings.MEDIA_ROOT) / visit_x.picture).exists()
