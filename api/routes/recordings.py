"""Recordings: to list, look at, take, keep, let go and delete, each noted in the audit log as on the pages."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import Http404
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema, Status
from pydantic import Field

from api.access import MANAGE, READ, Request, needs
from api.files import file_of
from api.paging import Moment, Order, Slug, TurnQuery
from api.problems import Problem, Refusal
from api.schemas import RecordingOut, RecordingPage
from recordings import footage, keeping, ranges, storage
from recordings.files import note_taken
from recordings.models import AuditEntry, Recording, RecordingQuerySet
from recordings.ranges import Content

router = Router(tags=["recordings"])
ORDER: Order[Recording] = Order("recordings", "start")
FILE = (200, 206, 304, 416)


class RecordingFilter(Schema):
    """Which recordings; times are of any part of them."""

    camera: Slug | None = Field(None, description="The camera's short name.")
    since: Moment | None = Field(None, alias="from", description="With pictures from or after this time.")
    until: Moment | None = Field(None, alias="to", description="With pictures from before this time.")
    state: Literal["recording", "encoding", "ready", "failed"] | None = None
    is_kept: bool | None = None

    def narrow(self, clips: RecordingQuerySet) -> RecordingQuerySet:
        if self.camera is not None:
            clips = clips.filter(camera__slug=self.camera)
        if self.since is not None:
            clips = clips.filter(end__gte=self.since)
        if self.until is not None:
            clips = clips.filter(start__lt=self.until)
        if self.is_kept is not None:
            clips = clips.filter(is_kept=self.is_kept)
        return clips.filter(state=self.state) if self.state else clips


def _seen(request: Request) -> RecordingQuerySet:
    return Recording.objects.filter(camera__in=request.auth.watched()).select_related("camera")


def _managed(request: Request, id: UUID) -> Recording:
    clip = get_object_or_404(_seen(request), pk=id)
    if not request.auth.managed().filter(pk=clip.camera_id).exists():
        raise Refusal(403)
    return clip


@router.get(
    "/recordings", auth=needs(READ), response=RecordingPage, operation_id="listRecordings", url_name="recordings"
)
def list_recordings(request: Request, turn: TurnQuery, wanted: Query[RecordingFilter]) -> Any:
    """Recordings, newest first."""
    page, cursor = ORDER.page(wanted.narrow(_seen(request)), turn)
    return RecordingPage(items=[RecordingOut.of(clip) for clip in page], next=cursor)


@router.get(
    "/recordings/{uuid:id}",
    auth=needs(READ),
    response={200: RecordingOut, 404: Problem},
    operation_id="getRecording",
    url_name="recording",
)
def get_recording(request: Request, id: UUID) -> Any:
    """One recording."""
    return RecordingOut.of(get_object_or_404(_seen(request), pk=id))


@router.delete(
    "/recordings/{uuid:id}",
    auth=needs(MANAGE),
    response={204: None, 404: Problem, 409: Problem},
    operation_id="deleteRecording",
    url_name="recording",
)
def delete_recording(request: Request, id: UUID) -> Any:
    """Deletes a recording of a camera that the caller manages; one that is kept or still being made stays."""
    clip = _managed(request, id)
    if storage.state().problem in {"missing", "read_only"}:
        raise Refusal(409, "The storage of recordings is away or locked: nothing can be deleted now.")
    if not keeping.delete(clip, request.auth.user):
        raise Refusal(409, "A recording that is kept or still being made cannot be deleted.")
    return Status(204, None)


@router.post(
    "/recordings/{uuid:id}/keep",
    auth=needs(MANAGE),
    response={200: RecordingOut, 404: Problem},
    operation_id="keepRecording",
    url_name="recording-keep",
)
def keep_recording(request: Request, id: UUID) -> Any:
    """From now on nothing deletes it. Whoever may watch its camera may do this."""
    clip = get_object_or_404(_seen(request), pk=id)
    keeping.keep(clip, request.auth.user)
    return RecordingOut.of(get_object_or_404(_seen(request), pk=id))


@router.post(
    "/recordings/{uuid:id}/release",
    auth=needs(MANAGE),
    response={200: RecordingOut, 404: Problem},
    operation_id="releaseRecording",
    url_name="recording-release",
)
def release_recording(request: Request, id: UUID) -> Any:
    """It may go again when its time has come. Only who manages its camera may do this."""
    keeping.release(_managed(request, id), request.auth.user)
    return RecordingOut.of(get_object_or_404(_seen(request), pk=id))


@router.get(
    "/recordings/{uuid:id}/video.mp4",
    auth=needs(READ),
    response={404: Problem},
    operation_id="getRecordingVideo",
    url_name="recording-video",
    openapi_extra=file_of("video/mp4", *FILE),
)
async def get_video(request: Request, id: UUID) -> HttpResponseBase:
    """The film, whole or in ranges; of a recording that is still being made what there is of it so far."""
    return ranges.respond(request, await sync_to_async(_film)(request, id))


def _film(request: Request, id: UUID) -> Content:
    clip = get_object_or_404(_seen(request), pk=id)
    content = footage.film(clip, as_download=True)
    if content is None:
        raise Http404
    note_taken(request, request.auth.user, AuditEntry.Action.DOWNLOADED, clip)
    return content


@router.get(
    "/recordings/{uuid:id}/poster.jpg",
    auth=needs(READ),
    response={404: Problem},
    operation_id="getRecordingPoster",
    url_name="recording-poster",
    openapi_extra=file_of("image/jpeg", *FILE),
)
async def get_poster(request: Request, id: UUID) -> HttpResponseBase:
    """One picture of it."""
    return ranges.respond(request, await sync_to_async(_poster)(request, id))


def _poster(request: Request, id: UUID) -> Content:
    content = footage.poster(get_object_or_404(_seen(request), pk=id))
    if content is None:
        raise Http404
    return content
