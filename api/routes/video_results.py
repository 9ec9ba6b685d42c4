"""What was found in a video: people, boxes, key points, and who was recognised."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import Http404
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema
from pydantic import Field

from api import people
from api.access import READ, Request, needs
from api.files import answer, file_of
from api.paging import Order, TurnQuery
from api.problems import Problem, fault
from api.profile_schemas import VideoProfilePage
from api.video_schemas import FramesOut, KeyPointsOut, VideoPersonOut, VideoPersonPage
from profiles import audit, seen
from profiles.models import Appearance, ProfileLook
from recordings.ranges import Content
from videos import audit as video_audit
from videos import files, keypoint_views, overlay
from videos.models import Video, VideoVisit

router = Router(tags=["videos"])
PEOPLE: Order[VideoVisit] = Order("people", second="first_s")
KNOWN: Order[Appearance] = Order("known", "last_at")


class Stretch(Schema):
    """A part of a video, in seconds of its own clock."""

    since: float = Field(0, alias="from", ge=0, le=2 * settings.VIDEO_MAX_S, allow_inf_nan=False)
    until: float | None = Field(
        None, alias="to", ge=0, le=2 * settings.VIDEO_MAX_S, allow_inf_nan=False, description="30 s later at most."
    )


def _video(request: Request, id: UUID) -> Video:
    return get_object_or_404(request.auth.videos().complete(), pk=id)


@router.get(
    "/videos/{uuid:id}/people",
    auth=needs(READ),
    response={200: VideoPersonPage, 404: Problem},
    operation_id="listVideoPeople",
    url_name="video-people",
)
def list_people(request: Request, id: UUID, turn: TurnQuery) -> Any:
    """Who was seen in the video and when, in the order of appearing."""
    video = _video(request, id)
    page, cursor = PEOPLE.page(video.visits.all(), turn)
    known = seen.in_video(video.pk)
    return VideoPersonPage(items=[VideoPersonOut.of(visit, known) for visit in page], next=cursor)


@router.get(
    "/videos/people/{uuid:id}/picture.jpg",
    auth=needs(READ),
    response={404: Problem},
    operation_id="getVideoPersonPicture",
    url_name="video-person-picture",
    openapi_extra=file_of("image/jpeg", 200, 206, 304, 416),
)
async def get_person_picture(request: Request, id: UUID) -> HttpResponseBase:
    """The best picture of somebody in a video."""
    return answer(request, await sync_to_async(_picture)(request, id))


def _picture(request: Request, id: UUID) -> Content | HttpResponseBase:
    visits = VideoVisit.objects.filter(video__in=request.auth.videos()).select_related("video")
    found = files.person_of(request, request.auth.user, get_object_or_404(visits, pk=id))
    if found is None:
        raise Http404
    return found


@router.get(
    "/videos/{uuid:id}/profiles",
    auth=needs(READ),
    response={200: VideoProfilePage, 404: Problem},
    operation_id="listVideoProfiles",
    url_name="video-profiles",
)
def list_profiles(request: Request, id: UUID, turn: TurnQuery) -> Any:
    """Who was recognised in the video. That somebody has looked is noted."""
    video = _video(request, id)
    found = request.auth.appearances().filter(video=video).select_related("profile__unit", "video", "camera")
    page, cursor = KNOWN.page(found, turn)
    audit.note(request.auth.user, ProfileLook.Action.LISTED, detail=f"{len(page)} profiles of video {video.pk}")
    return people.answer({"items": people.in_video(page), "next": cursor})


@router.get(
    "/videos/{uuid:id}/frames",
    auth=needs(READ),
    response={200: FramesOut, 404: Problem},
    operation_id="getVideoFrames",
    url_name="video-frames",
)
def get_frames(request: Request, id: UUID, wanted: Query[Stretch]) -> Any:
    """Boxes and key points of half a minute at most, as a player draws them."""
    until = wanted.since + overlay.LONGEST_S if wanted.until is None else wanted.until
    if not 0 < until - wanted.since <= overlay.LONGEST_S:
        raise fault("query.to", "after `from`, and at most 30 seconds after it")
    video = _video(request, id)
    video_audit.note_once(request.auth.user, video_audit.Action.VIEWED, video)
    return FramesOut.of(overlay.stretch(video, wanted.since, until))


@router.get(
    "/videos/{uuid:id}/keypoints.csv",
    auth=needs(READ),
    response={404: Problem},
    operation_id="getVideoKeyPointsTable",
    url_name="video-keypoints-csv",
    openapi_extra=file_of("text/csv", 200),
)
def get_keypoints_table(request: Request, id: UUID) -> HttpResponseBase:
    """A row per person and sample; a sample in which nobody is seen has one row with empty cells."""
    return keypoint_views.csv_of(_video(request, id), request.auth.user)


@router.get(
    "/videos/{uuid:id}/keypoints.json",
    auth=needs(READ),
    response={200: KeyPointsOut, 404: Problem},
    operation_id="getVideoKeyPoints",
    url_name="video-keypoints",
)
def get_keypoints(request: Request, id: UUID) -> HttpResponseBase:
    """All key points of the video."""
    return keypoint_views.json_of(_video(request, id), request.auth.user)
