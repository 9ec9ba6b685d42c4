"""Videos: to upload, to list, to follow, to cancel and delete, and their files."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import Http404
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.translation import override
from ninja import Query, Router, Schema, Status
from pydantic import Field

from accounts.models import Unit
from api.access import MANAGE, READ, Request, needs
from api.files import answer, file_of
from api.paging import Moment, Order, Slug, TurnQuery
from api.problems import Problem, Refusal
from api.video_schemas import StateWord, VideoIn, VideoOut, VideoPage, VideoStatusOut
from recordings.ranges import Content
from videos import files, intake, removal, upload_views
from videos.intake import Wish
from videos.models import Video, VideoQuerySet
from videos.problems import Refused, sentence

router = Router(tags=["videos"])
ORDER: Order[Video] = Order("videos", "created_at")
FILE = (200, 206, 304, 416)


class VideoFilter(Schema):
    """Which videos."""

    unit: Slug | None = Field(None, description="The unit's short name.")
    state: StateWord | None = None
    since: Moment | None = Field(None, alias="from", description="Uploaded at or after this time.")
    until: Moment | None = Field(None, alias="to", description="Uploaded before this time.")

    def narrow(self, videos: VideoQuerySet) -> VideoQuerySet:
        if self.unit is not None:
            videos = videos.filter(unit__slug=self.unit)
        if self.since is not None:
            videos = videos.filter(created_at__gte=self.since)
        if self.until is not None:
            videos = videos.filter(created_at__lt=self.until)
        return videos.filter(state=self.state) if self.state else videos


def _seen(request: Request) -> VideoQuerySet:
    return request.auth.videos().select_related("unit", "uploaded_by")


def _managed(request: Request, id: UUID) -> Video:
    video = get_object_or_404(request.auth.videos(), pk=id)
    if not Video.objects.manageable_by(request.auth.user).filter(pk=video.pk).exists():
        raise Refusal(403)
    return video


@router.get("/videos", auth=needs(READ), response=VideoPage, operation_id="listVideos", url_name="videos")
def list_videos(request: Request, turn: TurnQuery, wanted: Query[VideoFilter]) -> Any:
    """Videos, newest first, with the caller's own uploads that are not complete yet."""
    page, cursor = ORDER.page(wanted.narrow(_seen(request)), turn)
    return VideoPage(items=[VideoOut.of(video) for video in page], next=cursor)


@router.post(
    "/videos",
    auth=needs(MANAGE),
    response={201: VideoOut, 404: Problem, 413: Problem, 507: Problem},
    operation_id="createVideo",
    url_name="videos",
)
def create_video(request: Request, body: VideoIn) -> Any:
    """Begins an upload. The file then goes to `upload` in one or more pieces by tus 1.0.0: PATCH with the headers
    `Tus-Resumable: 1.0.0`, `Upload-Offset` and `Content-Type: application/offset+octet-stream`, 24 MB at most at once,
    and the same token. After a broken connection, HEAD tells the offset to go on from."""
    is_limited = request.auth.grant is not None and request.auth.grant.camera_ids is not None
    units = Unit.objects.none() if is_limited else Unit.objects.watchable_by(request.auth.user)
    unit = units.filter(slug=body.unit).first()
    if unit is None:
        raise Refusal(404, "You may upload videos for no unit of this short name.")
    wish = Wish(
        title=body.title,
        size=body.size,
        unit=unit,
        per_s=settings.VIDEO_PER_S if body.per_s is None else body.per_s,
        wants_faces=body.wants_faces,
        wants_poses=body.wants_poses,
    )
    try:
        return Status(201, VideoOut.of(intake.begin(request.auth.user, wish)))
    except Refused as refused:
        with override("en"):
            raise Refusal(upload_views.STATUS.get(refused.code, 422), sentence(refused.code)) from None


@router.get(
    "/videos/{uuid:id}",
    auth=needs(READ),
    response={200: VideoOut, 404: Problem},
    operation_id="getVideo",
    url_name="video",
)
def get_video(request: Request, id: UUID) -> Any:
    """One video."""
    return VideoOut.of(get_object_or_404(_seen(request), pk=id))


@router.get(
    "/videos/{uuid:id}/status",
    auth=needs(READ),
    response={200: VideoStatusOut, 404: Problem},
    operation_id="getVideoStatus",
    url_name="video-status",
)
def get_video_status(request: Request, id: UUID) -> Any:
    """How far its upload or analysis is."""
    return VideoStatusOut.status_of(get_object_or_404(request.auth.videos(), pk=id))


@router.delete(
    "/videos/{uuid:id}",
    auth=needs(MANAGE),
    response={204: None, 404: Problem},
    operation_id="deleteVideo",
    url_name="video",
)
def delete_video(request: Request, id: UUID) -> Any:
    """Deletes a video with all that came from it, however far it is: an upload is given up, an analysis ends."""
    if not removal.remove(_managed(request, id), request.auth.user):
        raise Http404
    return Status(204, None)


@router.post(
    "/videos/{uuid:id}/cancel",
    auth=needs(MANAGE),
    response={204: None, 404: Problem, 409: Problem},
    operation_id="cancelVideo",
    url_name="video-cancel",
)
def cancel_video(request: Request, id: UUID) -> Any:
    """Gives up an upload or an analysis that goes on; nothing of the video is left. One that is over is not touched."""
    video = _managed(request, id)
    if not video.may_be_cancelled:
        raise Refusal(409, "Its analysis is over. DELETE removes it.")
    if not removal.remove(video, request.auth.user):
        raise Http404
    return Status(204, None)


@router.get(
    "/videos/{uuid:id}/original",
    auth=needs(READ),
    response={404: Problem},
    operation_id="getVideoOriginal",
    url_name="video-original",
    openapi_extra=file_of(files.KINDS.values(), 302, *FILE),
)
async def get_original(request: Request, id: UUID) -> HttpResponseBase:
    """The file as it was uploaded, whole or in ranges."""
    return answer(request, await sync_to_async(_find)(request, id, "original"))


@router.get(
    "/videos/{uuid:id}/film",
    auth=needs(READ),
    response={404: Problem},
    operation_id="getVideoFilm",
    url_name="video-film",
    openapi_extra=file_of(files.KINDS.values(), 302, *FILE),
)
async def get_film(request: Request, id: UUID) -> HttpResponseBase:
    """What every browser plays, the original or a copy in H.264, whole or in ranges."""
    return answer(request, await sync_to_async(_find)(request, id, "film"))


@router.get(
    "/videos/{uuid:id}/poster.jpg",
    auth=needs(READ),
    response={404: Problem},
    operation_id="getVideoPoster",
    url_name="video-poster",
    openapi_extra=file_of("image/jpeg", *FILE),
)
async def get_poster(request: Request, id: UUID) -> HttpResponseBase:
    """One picture of it."""
    return answer(request, await sync_to_async(_find)(request, id, "poster"))


FINDERS = {"original": files.original_of, "film": files.film_of, "poster": files.poster_of}


def _find(request: Request, id: UUID, what: str) -> Content | HttpResponseBase:
    found = FINDERS[what](request, request.auth.user, get_object_or_404(request.auth.videos().complete(), pk=id))
    if found is None:
        raise Http404
    return found
