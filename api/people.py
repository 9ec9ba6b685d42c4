"""Profiles and appearances as the API shows them: plain values, of as many queries however many there are.

They are written as JSON at once, which takes a fraction of the time that checking each of them would. That they are as
the schemas say, the tests see to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Any
from uuid import UUID

from django.db.models import Count, F, QuerySet, Window
from django.db.models.functions import RowNumber
from django.http import HttpResponse
from django.urls import get_script_prefix, reverse
from pydantic_core import to_json

from profiles.models import Appearance, Profile

NEWEST = 5  # Appearances shown with each profile where they are asked for.
NOWHERE = UUID(int=0)
FIELDS = (
    *("id", "profile_id", "video_id", "video__title", "camera__slug", "day", "first_s", "last_s", "first_at"),
    *("last_at", "quality", "similarity"),
)
Plain = dict[str, Any]


def answer(told: Plain) -> HttpResponse:
    return HttpResponse(to_json(told), "application/json; charset=utf-8")


@cache
def _pattern(name: str, _prefix: str) -> tuple[str, str]:
    before, after = reverse(name, args=[NOWHERE]).split(str(NOWHERE))
    return before, after


def _link(name: str, id: UUID) -> str:
    """As reverse() gives it, which takes its time a thousand times."""
    before, after = _pattern(name, get_script_prefix())
    return f"{before}{id}{after}"


def profiles(page: Sequence[Profile], *, expand: bool) -> list[Plain]:
    """Of rows that have their unit. Two queries, or three with appearances."""
    ids = [profile.pk for profile in page]
    faces = _faces(ids)
    shown = _newest(ids) if expand else {}
    return [
        {
            "id": profile.pk,
            "unit": {"slug": profile.unit.slug, "name": profile.unit.name},
            "surname": profile.surname,
            "name": profile.name,
            "middle_name": profile.middle_name,
            "sex": profile.sex,
            "birth_date": profile.birth_date,
            "notes": profile.notes,
            "listing": profile.listing,
            "created_at": profile.created_at,
            "seen_at": profile.seen_at,
            "face": _link("api:face", faces[profile.pk][0]) if profile.pk in faces else None,
            "appearance_count": faces[profile.pk][1] if profile.pk in faces else 0,
            "appearances": shown.get(profile.pk, []) if expand else None,
            "page": _link("profiles:profile", profile.pk),
        }
        for profile in page
    ]


def _faces(ids: Sequence[UUID]) -> dict[UUID, tuple[UUID, int]]:
    """Of each profile its best appearance, and how many it has."""
    place = Window(RowNumber(), partition_by="profile_id", order_by=[F("quality").desc(), "pk"])
    count = Window(Count("pk"), partition_by="profile_id")
    rows = Appearance.objects.filter(profile__in=ids).order_by().annotate(place=place, count=count).filter(place=1)
    return {row[0]: (row[1], row[2]) for row in rows.values_list("profile_id", "pk", "count")}


def _newest(ids: Sequence[UUID]) -> dict[UUID, list[Plain]]:
    place = Window(RowNumber(), partition_by="profile_id", order_by=[F("last_at").desc(), F("pk").desc()])
    rows = Appearance.objects.filter(profile__in=ids).order_by().annotate(place=place).filter(place__lte=NEWEST)
    found: dict[UUID, list[Plain]] = defaultdict(list)
    for row in rows.order_by("-last_at", "-pk").values_list(*FIELDS):
        told = _told(row)
        found[told["profile"]].append(told)
    return found


def appearances(page: Sequence[Appearance]) -> list[Plain]:
    """In the page's order; one query."""
    found = {row[0]: _told(row) for row in _rows(Appearance.objects.filter(pk__in=[each.pk for each in page]))}
    return [found[each.pk] for each in page if each.pk in found]


def in_video(page: Sequence[Appearance]) -> list[Plain]:
    """Appearances with their profiles, which the rows have."""
    known = [each.profile for each in page if each.profile]
    return [
        {"profile": profile, "appearance": appearance}
        for profile, appearance in zip(profiles(known, expand=False), appearances(page), strict=False)
    ]


def _rows(found: QuerySet[Appearance]) -> Any:
    return found.order_by().values_list(*FIELDS)


def _told(row: Sequence[Any]) -> Plain:
    id, profile, video, title, camera, day, first_s, last_s, first_at, last_at, quality, similarity = row
    return {
        "id": id,
        "profile": profile,
        "video": {"id": video, "title": title, "link": _link("api:video", video)} if video else None,
        "camera": camera,
        "day": day,
        "first_s": first_s if video else None,
        "last_s": last_s if video else None,
        "first_at": first_at,
        "last_at": last_at,
        "quality": quality,
        "similarity": similarity,
        "face": _link("api:face", id),
    }
