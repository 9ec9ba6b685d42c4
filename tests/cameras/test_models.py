"""Cameras by what each role may do with them, and what the tables refuse."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Membership, Role, Unit, User, Viewer
from cameras.models import Camera, CoverageMinute, Kind

pytestmark = pytest.mark.django_db


@pytest.fixture
def pulled_x(unit_x: Unit) -> Camera:
    return Camera.objects.create(name="Pulled X", unit=unit_x, source="rtsp://10.0.0.9/stream")


@pytest.mark.parametrize(
    ("name", "visible", "capturable", "watchable", "manageable"),
    [
        # A capture page is a browser camera's only.
        ("alice", {"Gate X", "Pulled X"}, {"Gate X"}, {"Gate X", "Pulled X"}, {"Gate X", "Pulled X"}),
        ("bob", {"Gate X", "Pulled X"}, {"Gate X"}, {"Gate X", "Pulled X"}, set()),
        ("gina", {"Gate X", "Pulled X"}, {"Gate X"}, set(), set()),
        ("charlie", {"Gate Y"}, {"Gate Y"}, {"Gate Y"}, set()),
        ("root", *[{"Gate X", "Pulled X", "Gate Y"}, {"Gate X", "Gate Y"}, *[{"Gate X", "Pulled X", "Gate Y"}] * 2]),
        ("pending", set(), set(), set(), set()),
        ("retired", set(), set(), set(), set()),
        ("anonymous", set(), set(), set(), set()),
    ],
)
def test_a_camera_opens_by_the_role_in_its_unit(
    alice: User,
    bob: User,
    gina: User,
    charlie: User,
    root: User,
    pending: User,
    camera_x: Camera,
    pulled_x: Camera,
    camera_y: Camera,
    name: str,
    visible: set[str],
    capturable: set[str],
    watchable: set[str],
    manageable: set[str],
) -> None:
    retired = User.objects.create_superuser("retired", is_active=False)
    for user in (retired, pending):
        Membership.objects.create(user=user, unit=camera_x.unit, role=Role.UNIT_ADMIN)
    viewer: Viewer = AnonymousUser() if name == "anonymous" else User.objects.get(username=name)

    def names(cameras: models.QuerySet[Camera]) -> set[str]:
        return {camera.name for camera in cameras}

    assert names(Camera.objects.visible_to(viewer)) == visible
    assert names(Camera.objects.capturable_by(viewer)) == capturable
    assert names(Camera.objects.watchable_by(viewer)) == watchable
    assert names(Camera.objects.manageable_by(viewer)) == manageable


def test_a_member_of_two_units_finds_each_camera_once(bob: User, camera_x: Camera, camera_y: Camera) -> None:
    Membership.objects.create(user=bob, unit=camera_y.unit, role=Role.GUARD_POST)
    assert list(Camera.objects.visible_to(bob)) == [camera_x, camera_y]
    assert list(Camera.objects.watchable_by(bob)) == [camera_x]


def test_slugs_are_made_of_names_and_stay(unit_x: Unit, unit_y: Unit) -> None:
    slugs = [Camera.objects.create(name="정문 카메라", unit=unit).slug for unit in (unit_x, unit_y)]
    assert slugs == ["jeongmun-kamera", "jeongmun-kamera-2"]
    camera = Camera.objects.get(slug="jeongmun-kamera")
    camera.name = "Front"
    camera.save()
    assert Camera.objects.get(pk=camera.pk).slug == "jeongmun-kamera"


def test_the_kind_follows_from_the_address(camera_x: Camera) -> None:
    assert camera_x.kind == Kind.BROWSER
    camera_x.source = "https://10.0.0.9/video"
    camera_x.save(update_fields=["source"])
    camera_x.refresh_from_db()
    assert camera_x.kind == Kind.PULL


def test_limits_left_empty_are_the_sites(camera_x: Camera, settings: Settings) -> None:
    settings.TARGET_FPS, settings.CONFIDENCE, settings.VISIT_GAP_S = 7, 0.4, 12
    assert (camera_x.target_fps_used, camera_x.confidence_used, camera_x.visit_gap_s_used) == (7, 0.4, 12)
    camera_x.target_fps, camera_x.confidence, camera_x.visit_gap_s = 1, 0.9, 0
    assert (camera_x.target_fps_used, camera_x.confidence_used, camera_x.visit_gap_s_used) == (1, 0.9, 0)


@pytest.mark.parametrize(
    ("field", "value"),
    [("target_fps", 0), ("target_fps", 31), ("confidence", 0), ("confidence", 1.5), ("visit_gap_s", -1)],
)
def test_limits_out_of_range_are_refused(camera_x: Camera, field: str, value: float) -> None:
    setattr(camera_x, field, value)
    with pytest.raises(ValidationError) as refusal:
        camera_x.full_clean()
    assert set(refusal.value.message_dict) == {field}


def test_a_name_is_used_once_per_unit(camera_x: Camera, unit_y: Unit) -> None:
    Camera.objects.create(name=camera_x.name, unit=unit_y)
    with pytest.raises(IntegrityError), transaction.atomic():
        Camera.objects.create(name=camera_x.name, unit=camera_x.unit)


def test_kind_and_address_cannot_disagree(camera_x: Camera) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Camera.objects.filter(pk=camera_x.pk).update(kind=Kind.PULL)


def test_a_unit_with_cameras_cannot_be_deleted(camera_x: Camera) -> None:
    with pytest.raises(models.ProtectedError):
        camera_x.unit.delete()


def test_a_cameras_minute_is_counted_once_and_holds_sixty_seconds(camera_x: Camera) -> None:
    minute = timezone.now().replace(second=0, microsecond=0)
    row = CoverageMinute.objects.create(camera=camera_x, minute=minute, judged_mask=2**60 - 1)
    row.refresh_from_db()
    assert row.judged_mask.bit_count() == 60
    with pytest.raises(IntegrityError), transaction.atomic():
        CoverageMinute.objects.create(camera=camera_x, minute=minute)
