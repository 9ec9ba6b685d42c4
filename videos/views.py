"""The operators' pages of videos: upload and list, one video with its player, and what the player draws."""

from __future__ import annotations

import math
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from accounts.models import User
from detections.views import for_watchers
from profiles import audit as looks
from profiles import seen
from profiles.models import Profile, ProfileLook
from recordings.acts import for_actors
from videos import announce, audit, following, overlay, problems, removal
from videos.forms import UploadForm
from videos.models import Video, VideoVisit

PAGE_LENGTH = 24


@for_watchers
def video_list(request: HttpRequest) -> HttpResponse:
    """Newest first, with those that are being uploaded by oneself; a script that asks gets the list alone."""
    videos = Video.objects.visible_to(request.user).filter(
        ~Q(state=Video.State.UPLOADING) | Q(uploaded_by=_user(request))
    )
    pages = Paginator(videos.select_related("unit", "uploaded_by"), PAGE_LENGTH)
    page = pages.get_page(request.GET.get("page"))
    shown = Video.objects.manageable_by(request.user).filter(pk__in=[video.pk for video in page])
    managed = set(shown.values_list("pk", flat=True))
    rows = [{**_shown(video), "may_cancel": video.may_be_cancelled and video.pk in managed} for video in page]
    context = {"page": page, "rows": rows, "several_units": _has_several_units(request)}
    if request.headers.get("HX-Request") == "true":
        response = render(request, "videos/_list.html", context)
    else:
        limits = {"most_bytes": settings.VIDEO_MAX_BYTES, "most_hours": settings.VIDEO_MAX_S / 3_600}
        response = render(request, "videos/list.html", {**context, **limits, "form": UploadForm(viewer=request.user)})
    response["Vary"] = "HX-Request"
    return response


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # for_watchers has asked.
    return request.user


def _has_several_units(request: HttpRequest) -> bool:
    return _user(request).is_superuser or _user(request).memberships.count() > 1


def _shown(video: Video) -> dict[str, object]:
    return {
        "video": video,
        "problem": problems.sentence(video.problem),
        "percent": int(100 * (video.received / video.size if video.state == Video.State.UPLOADING else video.progress)),
        "left_s": announce.left_s(video),
    }


@for_watchers
def video(request: HttpRequest, id_: UUID) -> HttpResponse:
    """The player; `?t=` is where it begins."""
    videos = Video.objects.visible_to(request.user).complete().select_related("unit", "uploaded_by", "lesson")
    found = get_object_or_404(videos, pk=id_)
    audit.note_once(_user(request), audit.Action.VIEWED, found)
    visits = list(found.visits.order_by("first_s", "id"))
    people = _with_profiles(found, visits)
    if known := {profile.pk for _visit, profile in people if profile}:
        detail = f"{len(known)} profiles of video {found.pk}"
        looks.note_once(_user(request), ProfileLook.Action.LISTED, detail)
    context = {
        **_shown(found),
        "people": people,
        "marks": [
            {"id": str(visit.pk), "tracks": visit.track_ids, "start": visit.first_s, "end": visit.last_s}
            for visit in visits
        ],
        "remarks": [problems.sentence(code) for code in found.remarks],
        "may_become_lesson": following.may_be_tried(found),
        "can_play": found.is_playable or found.has_copy,
        "is_managed": Video.objects.manageable_by(request.user).filter(pk=id_).exists(),
        "at_s": min(_seconds(request, "t") or 0.0, found.duration_s),
    }
    return render(request, "videos/video.html", context)


def _with_profiles(video: Video, visits: list[VideoVisit]) -> list[tuple[VideoVisit, Profile | None]]:
    """Each stay with whose face was recognised in it."""
    known = seen.in_video(video.pk)
    return [(visit, next((known[track] for track in visit.track_ids if track in known), None)) for visit in visits]


@for_watchers
def status(request: HttpRequest, id_: UUID) -> HttpResponse:
    """What the socket tells, for a page that has none."""
    found = Video.objects.visible_to(request.user).complete().filter(pk=id_).first()
    if found is None:
        raise Http404
    return JsonResponse(announce.body_of(found))


@for_watchers
def frames(request: HttpRequest, id_: UUID) -> HttpResponse:
    """Boxes and key points between `from` and `to`, half a minute at most."""
    found = Video.objects.visible_to(request.user).complete().filter(pk=id_).first()
    if found is None:
        raise Http404
    since, until = _seconds(request, "from"), _seconds(request, "to")
    if since is None or until is None or not 0 < until - since <= overlay.LONGEST_S + 1:
        return JsonResponse({"error": "from and to are seconds of the video, at most 30 apart."}, status=400)
    audit.note_once(_user(request), audit.Action.VIEWED, found)
    return JsonResponse(overlay.stretch(found, since, until))


def _seconds(request: HttpRequest, name: str) -> float | None:
    try:
        value = float(request.GET.get(name, ""))
    except ValueError:
        return None
    return value if math.isfinite(value) and 0 <= value <= settings.VIDEO_MAX_S * 2 else None


@for_actors
def delete(request: HttpRequest, user: User, id_: UUID) -> HttpResponse:
    """Deletes a video, cancels an analysis, gives an upload up: in each case nothing of it is left."""
    found = get_object_or_404(Video.objects.visible_to(user), pk=id_)
    if not Video.objects.manageable_by(user).filter(pk=id_).exists():
        messages.error(request, _("Only whoever uploaded a video or a unit admin may cancel or delete it."))
        return redirect("videos:list")
    was_under_way = found.is_under_way
    if removal.remove(found, user):
        said = _("The analysis was cancelled and the video removed.") if was_under_way else _("The video was deleted.")
        messages.success(request, said)
    return redirect("videos:list")
