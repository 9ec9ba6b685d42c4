"""Visits: who was before which camera, and the best picture of each."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import conditional_page
from ninja import Query, Router, Schema
from ninja.decorators import decorate_view
from pydantic import Field

from api.access import READ, Request, needs
from api.files import file_of
from api.paging import Moment, Order, Slug, TurnQuery
from api.problems import Problem
from api.schemas import VisitOut, VisitPage
from detections.models import Visit, VisitQuerySet
from detections.views import picture_of

router = Router(tags=["visits"])
ORDER: Order[Visit] = Order("visits", "first_seen")


class VisitFilter(Schema):
    """Which visits; times are of any part of the stay."""

    camera: Slug | None = Field(None, description="The camera's short name.")
    since: Moment | None = Field(None, alias="from", description="Seen at or after this time.")
    until: Moment | None = Field(None, alias="to", description="Seen before this time.")
    state: Literal["present", "out_of_sight", "ended"] | None = None

    def narrow(self, visits: VisitQuerySet) -> VisitQuerySet:
        if self.camera is not None:
            visits = visits.filter(camera__slug=self.camera)
        if self.since is not None:
            visits = visits.since(self.since)
        if self.until is not None:
            visits = visits.filter(first_seen__lt=self.until)
        return visits.filter(state=self.state) if self.state else visits


def _seen(request: Request) -> VisitQuerySet:
    return Visit.objects.filter(camera__in=request.auth.watched()).select_related("camera")


@router.get("/visits", auth=needs(READ), response=VisitPage, operation_id="listVisits", url_name="visits")
def list_visits(request: Request, turn: TurnQuery, wanted: Query[VisitFilter]) -> Any:
    """Visits, newest first. A camera that the caller may not watch has none."""
    page, cursor = ORDER.page(wanted.narrow(_seen(request)), turn)
    return VisitPage(items=[VisitOut.of(visit) for visit in page], next=cursor)


@router.get(
    "/visits/{uuid:id}",
    auth=needs(READ),
    response={200: VisitOut, 404: Problem},
    operation_id="getVisit",
    url_name="visit",
)
def get_visit(request: Request, id: UUID) -> Any:
    """One visit."""
    return VisitOut.of(get_object_or_404(_seen(request), pk=id))


@router.get(
    "/visits/{uuid:id}/picture.jpg",
    auth=needs(READ),
    response={404: Problem},
    operation_id="getVisitPicture",
    url_name="visit-picture",
    openapi_extra=file_of("image/jpeg", 200, 304),
)
@decorate_view(conditional_page)
def get_visit_picture(request: Request, id: UUID) -> HttpResponse:
    """The visit's best picture; while the visit lasts it may be replaced by a better one."""
    return picture_of(get_object_or_404(_seen(request), pk=id))
