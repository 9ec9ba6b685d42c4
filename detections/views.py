"""The operators' pages: live dashboard, a camera and its day, the list of visits, one visit and its picture."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import wraps
from typing import Concatenate, ParamSpec
from uuid import UUID

from django.contrib.auth.views import redirect_to_login
from django.core.files.storage import default_storage
from django.db.models import Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.views.decorators.cache import never_cache
from django.views.decorators.http import conditional_page, require_safe

from accounts.models import may_log_in
from cameras import analysis, bell
from cameras.lamps import LOOKS
from cameras.models import Camera, CoverageMinute
from detections import day, snapshot, zone_counts
from detections.forms import Place, VisitFilter
from detections.models import Visit

FEED_LENGTH = 30
PAGE_LENGTH = 30
DAY_LENGTH = 200  # Visits on a camera's page; the list of visits shows all of them.

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def for_watchers(view: View[P]) -> View[P]:
    """Anonymous people log in; a guard post belongs on its capture pages."""

    @wraps(view)
    @never_cache
    @require_safe
    def checked(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not may_log_in(request.user):
            return redirect_to_login(request.get_full_path())
        if not request.user.may_watch:
            return redirect("cameras:capture-list")
        return view(request, *args, **kwargs)

    return checked


@for_watchers
def dashboard(request: HttpRequest) -> HttpResponse:
    cameras = list(Camera.objects.watchable_by(request.user).select_related("unit"))
    visits = Visit.objects.visible_to(request.user).select_related("camera")[:FEED_LENGTH]
    context = {
        "tiles": tiles_of(cameras),
        "units": sorted({camera.unit for camera in cameras}, key=lambda unit: unit.name),
        "visits": visits,
        "feed_length": FEED_LENGTH,
        "now": time.time(),
    }
    return render(request, "detections/dashboard.html", context)


@dataclass(frozen=True, slots=True)
class Tile:
    """A camera as its tile shows it until the live socket speaks."""

    camera: Camera
    state: str
    lamp: str
    since: float


def tiles_of(cameras: list[Camera]) -> list[Tile]:
    """The state of analysis is asked once for all."""
    state = analysis.look(bell.connection())
    described = [(camera, snapshot.describe(camera, state)) for camera in cameras]
    return [Tile(camera, now.state, LOOKS[now.state][1], now.since) for camera, now in described]


@for_watchers
def camera(request: HttpRequest, slug: str) -> HttpResponse:
    """The camera live, and one of its days in the viewer's zone."""
    found = get_object_or_404(Camera.objects.watchable_by(request.user).select_related("unit"), slug=slug)
    today = timezone.localdate()
    shown = _asked_day(request, today)
    bounds = day.Bounds.of(shown, timezone.get_current_timezone())
    rows = CoverageMinute.objects.filter(camera=found, minute__gte=bounds.start, minute__lt=bounds.end)
    minutes = day.by_index(bounds, rows)
    now = timezone.now()
    kinds = day.kinds_of(bounds, minutes, now)
    of_day = Visit.objects.filter(camera=found).during(bounds.start, bounds.end)
    visits = list(of_day.select_related("camera")[: DAY_LENGTH + 1])
    zones = zone_counts.counts_of(found, bounds.start, bounds.end)
    context = {
        "camera": found,
        "tile": tiles_of([found])[0],
        "day": shown,
        "bounds": bounds,
        "is_today": shown == today,
        "previous_day": shown - timedelta(days=1),
        "next_day": shown + timedelta(days=1) if shown < today else None,
        "segments": day.segments_of(bounds, kinds, [(visit.first_seen, visit.seen_until(now)) for visit in visits]),
        "totals": {kind: kinds.count(kind) for kind in day.KINDS},
        "hours": day.hours_of(bounds, kinds, minutes),
        "details": {"start": bounds.start.timestamp(), "kinds": kinds, "minutes": day.details_of(kinds, minutes)},
        "gate": rows.aggregate(samples=Sum("samples", default=0), misses=Sum("misses", default=0)),
        "visits": visits[:DAY_LENGTH],
        "has_more": len(visits) > DAY_LENGTH,
        "zones": zones,
        "zone_shapes": [count.shape() for count in zones],
        "now": time.time(),
    }
    return render(request, "detections/camera.html", context)


def _asked_day(request: HttpRequest, today: date) -> date:
    try:
        asked = date.fromisoformat(request.GET.get("date", ""))
    except ValueError:
        return today
    return min(max(asked, date(2000, 1, 1)), today)


@for_watchers
def visit_list(request: HttpRequest) -> HttpResponse:
    """A page of visits, newest first; a script that asks for more gets the rows alone."""
    form = VisitFilter(request.GET, viewer=request.user)
    visits = form.narrow(Visit.objects.visible_to(request.user)).select_related("camera")
    if place := Place.parse(request.GET.get("before", "")):
        visits = visits.filter(place.behind())
    found = list(visits[: PAGE_LENGTH + 1])
    page = found[:PAGE_LENGTH]
    query = request.GET.copy()
    query.pop("before", None)
    context = {
        "form": form,
        "visits": page,
        "is_filtered": any(query.values()),
        "is_first": place is None,
        "query": query.urlencode(),
        "next": f"{query.urlencode()}&before={Place.of(page[-1])}" if len(found) > PAGE_LENGTH else "",
        "now": time.time(),
    }
    is_part = request.headers.get("HX-Request") == "true" and request.headers.get("HX-Boosted") != "true"
    response = render(request, "detections/_visit_page.html" if is_part else "detections/visit_list.html", context)
    response["Vary"] = "HX-Request"
    return response


@dataclass(frozen=True, slots=True)
class Moment:
    """A change in a visit's course; one in a zone names it."""

    kind: str
    at: datetime
    zone: str = ""


@for_watchers
def visit(request: HttpRequest, visit_id: UUID) -> HttpResponse:
    visits = Visit.objects.visible_to(request.user)
    found = get_object_or_404(visits.select_related("camera__unit"), pk=visit_id)
    place = Place.of(found)
    same_camera = visits.filter(camera=found.camera)
    context = {
        "visit": found,
        "course": course_of(found),
        "older": same_camera.filter(place.behind()).first(),
        "newer": same_camera.exclude(place.behind()).exclude(pk=found.pk).last(),
        "now": time.time(),
    }
    return render(request, "detections/visit.html", context)


def course_of(found: Visit) -> list[Moment]:
    """What is known of the visit's course, in the order of time."""
    moments = [Moment("first_seen", found.first_seen), Moment("last_seen", found.last_seen)]
    if found.settled_at:
        moments.append(Moment("settled", found.settled_at))
    if found.ended_at:
        moments.append(Moment(found.end_reason or "ended", found.ended_at))
    for event in found.zone_events.select_related("zone"):
        moments.append(Moment(f"{event.kind}_{event.direction}".rstrip("_"), event.at, event.zone.name))
    return sorted(moments, key=lambda moment: moment.at)


@conditional_page
@require_safe
def visit_picture(request: HttpRequest, visit_id: UUID) -> HttpResponse:
    """The visit's best picture; it may be replaced while the visit lasts, so a browser asks whether its copy holds."""
    if not may_log_in(request.user):
        return redirect_to_login(request.get_full_path())
    return picture_of(get_object_or_404(Visit.objects.visible_to(request.user), pk=visit_id))


def picture_of(visit: Visit) -> HttpResponse:
    if not visit.picture:
        raise Http404
    try:
        with default_storage.open(visit.picture) as file:
            response = HttpResponse(file.read(), content_type="image/jpeg")
    except FileNotFoundError:
        raise Http404 from None  # Retention was here between the row and the file.
    patch_cache_control(response, private=True, max_age=0, must_revalidate=True)
    return response
