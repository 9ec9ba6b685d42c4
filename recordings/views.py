"""The operators' pages of clips: the list below a camera's day on one axis, and one clip with all known of it."""

from __future__ import annotations

import math
import time
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone

from cameras.models import Camera
from detections.day import Bounds
from detections.views import for_watchers
from recordings import footage, timeline
from recordings.forms import ExportForm, Place, RecordingFilter
from recordings.models import Recording

PAGE_LENGTH = 30
LATEST = 4_102_444_800.0  # The year 2100, beyond which no time is meant.


@for_watchers
def recording_list(request: HttpRequest) -> HttpResponse:
    """Clips, newest first, below the day of the camera chosen; a script that asks for more gets rows alone."""
    form = RecordingFilter(request.GET, viewer=request.user)
    clips = form.narrow(Recording.objects.visible_to(request.user)).select_related("camera")
    if place := Place.parse(request.GET.get("cursor", "")):
        clips = clips.filter(place.behind())
    found = list(clips[: PAGE_LENGTH + 1])
    page = found[:PAGE_LENGTH]
    query = request.GET.copy()
    query.pop("cursor", None)
    is_more = request.headers.get("HX-Request") == "true" and "cursor" in request.GET
    context = {
        "form": form,
        "recordings": page,
        "is_filtered": any(query.values()),
        "is_first": place is None,
        "query": query.urlencode(),
        "next": f"{query.urlencode()}&cursor={Place.of(page[-1])}" if len(found) > PAGE_LENGTH else "",
        "now": time.time(),
    }
    if not is_more:
        context |= _day_of(request, form)
    response = render(request, f"recordings/{'_page' if is_more else 'list'}.html", context)
    response["Vary"] = "HX-Request"
    return response


def _day_of(request: HttpRequest, form: RecordingFilter) -> dict[str, object]:
    """The chosen camera's day; a user with one camera need not choose."""
    own = list(Camera.objects.watchable_by(request.user).select_related("unit")[:2])
    chosen = form.cleaned_data.get("camera") if form.is_valid() else None
    camera = chosen or (own[0] if len(own) == 1 and not request.GET.get("camera") else None)
    if camera is None:
        return {"has_cameras": bool(own), "slugs": _slugs(request)}
    today = timezone.localdate()
    shown = min(form.cleaned_data["day"] or today, today) if form.is_valid() else today
    bounds = Bounds.of(shown, timezone.get_current_timezone())
    until = min(bounds.end, timezone.localtime().replace(microsecond=0))
    around = {"camera": camera.slug, "start": _field(bounds.start), "end": _field(max(until, bounds.start))}
    return {
        "has_cameras": True,
        "slugs": _slugs(request),
        "camera": camera,
        "day": shown,
        "is_today": shown == today,
        "previous_day": _with_day(request, shown - timedelta(days=1)),
        "next_day": _with_day(request, shown + timedelta(days=1)) if shown < today else "",
        "timeline": timeline.look(camera, bounds.start, bounds.end, timezone.now()),
        "export": ExportForm(viewer=request.user, initial=around),
    }


def _slugs(request: HttpRequest) -> list[str]:
    return list(Camera.objects.watchable_by(request.user).values_list("slug", flat=True)[:200])


def _field(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _with_day(request: HttpRequest, day: date) -> str:
    query = request.GET.copy()
    for name in ("cursor", "since", "until"):
        query.pop(name, None)
    query["day"] = day.isoformat()
    return query.urlencode()


@for_watchers
def timeline_json(request: HttpRequest) -> HttpResponse:
    """A stretch of a camera's time, for who zooms into its day."""
    camera = get_object_or_404(Camera.objects.watchable_by(request.user), slug=request.GET.get("camera", ""))
    start, end = _asked(request, "from"), _asked(request, "to")
    if start is None or end is None or not timeline.SHORTEST <= _at(end) - _at(start) <= timeline.LONGEST:
        return JsonResponse({"error": "from and to are Unix seconds, ten seconds to 26 hours apart."}, status=400)
    zone = timezone.get_current_timezone()
    return JsonResponse(timeline.look(camera, _at(start).astimezone(zone), _at(end).astimezone(zone), timezone.now()))


def _asked(request: HttpRequest, name: str) -> float | None:
    """Seconds from the query; None for what is no time."""
    try:
        value = float(request.GET.get(name, ""))
    except ValueError:
        return None
    return value if math.isfinite(value) and 0 <= value <= LATEST else None


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@for_watchers
def recording(request: HttpRequest, id_: UUID) -> HttpResponse:
    """The player; `?t=` is where in the clip it begins."""
    clips = Recording.objects.visible_to(request.user)
    found = get_object_or_404(clips.select_related("camera__unit"), pk=id_)
    place = Place.of(found)
    same_camera = clips.filter(camera=found.camera)
    stays = footage.stays_in(found)
    is_managed = Recording.objects.manageable_by(request.user).filter(pk=found.pk).exists()
    context = {
        "recording": found,
        "film": footage.film(found),
        "is_h265": footage.is_h265(found),
        "stays": stays,
        "older": same_camera.filter(place.behind()).first(),
        "newer": same_camera.exclude(place.behind()).exclude(pk=found.pk).last(),
        "is_settled": found.state in {Recording.State.READY, Recording.State.FAILED},
        "is_managed": is_managed,
        "at_s": min(_asked(request, "t") or 0.0, max(0.0, found.duration_s)),
        "now": time.time(),
    }
    return render(request, "recordings/recording.html", context)


@for_watchers
def frames(request: HttpRequest, id_: UUID) -> HttpResponse:
    """The times of the clip's frames and its visits; with `from` and `to` the boxes of that part, a minute at most."""
    found = Recording.objects.visible_to(request.user).filter(pk=id_).first()
    if found is None:
        raise Http404
    since, until = _asked(request, "from"), _asked(request, "to")
    if since is not None and until is not None:
        rows = footage.boxes_in(found, since, until)
        boxes = [[at, [[box.visit, *(round(edge, 4) for edge in box[2:6])] for box in row.boxes]] for at, row in rows]
        return JsonResponse({"from": since, "boxes": boxes, "longest_s": footage.BOXES_S})
    start = found.start.timestamp()
    stays = [
        {
            "id": str(stay.visit.pk),
            "start": stay.since_s,
            "end": stay.until_s,
            "first_seen": stay.visit.first_seen.timestamp() - start,
        }
        for stay in footage.stays_in(found)
    ]
    return JsonResponse(
        {
            "state": found.state,
            "start": start,
            "duration": found.duration_s,
            "times": [round(at, 4) for at in footage.frame_times(found)],
            "visits": stays,
            "longest_s": footage.BOXES_S,
        }
    )
