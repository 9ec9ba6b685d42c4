"""Cameras: to list and look at, and for those who manage them to make, change, switch and remove."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.shortcuts import get_object_or_404
from ninja import Router, Status

from api.access import MANAGE, WATCH, Request, needs
from api.paging import Order, TurnQuery
from api.problems import Problem, Refusal, fault, of_row
from api.schemas import CameraChange, CameraIn, CameraOut, CameraPage, EnrolmentOut
from cameras import enrolment
from cameras.models import Camera, Kind
from cameras.sources import HIDDEN
from recordings.models import Recording

router = Router(tags=["cameras"])
ORDER: Order[Camera] = Order("cameras")


@router.get("/cameras", auth=needs(WATCH), response=CameraPage, operation_id="listCameras", url_name="cameras")
def list_cameras(request: Request, turn: TurnQuery) -> Any:
    """The cameras that the caller may watch, oldest first."""
    page, cursor = ORDER.page(request.auth.watched().select_related("unit"), turn)
    managed = set(request.auth.managed().filter(pk__in=[camera.pk for camera in page]).values_list("pk", flat=True))
    items = [CameraOut.of(camera, is_managed=camera.pk in managed) for camera in page]
    return CameraPage(items=items, next=cursor)


@router.post(
    "/cameras",
    auth=needs(MANAGE),
    response={201: CameraOut, 404: Problem, 409: Problem},
    operation_id="createCamera",
    url_name="cameras",
)
def create_camera(request: Request, body: CameraIn) -> Any:
    """Makes a camera of a unit that the caller manages. A browser camera then needs an enrolment link."""
    unit = next((unit for unit in request.auth.units() if unit.slug == body.unit), None)
    if unit is None:
        raise Refusal(404, "You manage no unit of this short name.")
    given = body.model_dump(exclude={"unit"})
    _check_source(given["source"])
    camera = Camera(unit=unit, **given)
    _store(camera)
    _note(request, camera, ADDITION, "Made over the API.")
    return Status(201, CameraOut.of(camera, is_managed=True))


@router.get(
    "/cameras/{slug:slug}",
    auth=needs(WATCH),
    response={200: CameraOut, 404: Problem},
    operation_id="getCamera",
    url_name="camera",
)
def get_camera(request: Request, slug: str) -> Any:
    """One camera."""
    camera = get_object_or_404(request.auth.watched().select_related("unit"), slug=slug)
    return CameraOut.of(camera, is_managed=_is_managed(request, camera))


@router.patch(
    "/cameras/{slug:slug}",
    auth=needs(MANAGE),
    response={200: CameraOut, 404: Problem, 409: Problem},
    operation_id="changeCamera",
    url_name="camera",
)
def change_camera(request: Request, slug: str, body: CameraChange) -> Any:
    """Changes what is sent; `is_enabled` switches the camera. Its address as it is shown leaves it as it is."""
    camera = _managed(request, slug)
    changes = body.model_dump(exclude_unset=True)
    if changes.get("source") and changes["source"] == camera.source_redacted:
        del changes["source"]
    _check_source(changes.get("source", ""))
    for name, value in changes.items():
        setattr(camera, name, value)
    if changes:
        _store(camera)
        _note(request, camera, CHANGE, f"Changed over the API: {', '.join(sorted(changes))}.")
    return CameraOut.of(camera, is_managed=True)


@router.delete(
    "/cameras/{slug:slug}",
    auth=needs(MANAGE),
    response={204: None, 404: Problem, 409: Problem},
    operation_id="deleteCamera",
    url_name="camera",
)
def delete_camera(request: Request, slug: str) -> Any:
    """Removes a camera with its visits and recordings; one that has kept recordings stays."""
    camera = _managed(request, slug)
    if Recording.objects.filter(camera=camera, is_kept=True).exists():
        raise Refusal(409, "Some of its recordings are kept.")
    _note(request, camera, DELETION, "Removed over the API.")
    camera.delete()
    return Status(204, None)


@router.post(
    "/cameras/{slug:slug}/enrolment",
    auth=needs(MANAGE),
    response={201: EnrolmentOut, 404: Problem, 409: Problem},
    operation_id="enrolCamera",
    url_name="camera-enrolment",
)
def enrol_camera(request: Request, slug: str) -> Any:
    """A link that makes one browser this camera; a link made before and not used ends."""
    camera = _managed(request, slug)
    if camera.kind != Kind.BROWSER:
        raise Refusal(409, "This camera is pulled from its address.")
    link = enrolment.create(camera, by=request.auth.user)
    _note(request, camera, CHANGE, "Made an enrolment link over the API.")
    return Status(201, EnrolmentOut(url=link.url, expires_at=link.expires_at))


def _note(request: Request, camera: Camera, flag: int, message: str) -> None:
    """In the history that the admin keeps of the camera."""
    if request.auth.grant:
        message = f"{message} Access token {request.auth.grant.token_id}."
    LogEntry.objects.log_actions(request.auth.user.pk, [camera], flag, change_message=message, single_object=True)


def _managed(request: Request, slug: str) -> Camera:
    """Whoever may only watch it is told so; to others it is not there."""
    camera = get_object_or_404(request.auth.watched().select_related("unit"), slug=slug)
    if not _is_managed(request, camera):
        raise Refusal(403)
    return camera


def _is_managed(request: Request, camera: Camera) -> bool:
    return request.auth.managed().filter(pk=camera.pk).exists()


def _check_source(source: str) -> None:
    if HIDDEN in source:
        raise fault("body.source", "write the address out again with its password")


def _store(camera: Camera) -> None:
    try:
        camera.full_clean(exclude=["slug"])
        with transaction.atomic():
            camera.save()
    except ValidationError as error:
        raise of_row(error) from None
    except IntegrityError:  # Somebody else was a moment faster.
        raise Refusal(409, "This unit already has a camera of this name.") from None
