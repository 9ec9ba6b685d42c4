"""Profiles and appearances as the API shows them: plain values, of as many queries however many there are.

They are written as JSON at once, which takes a fraction of the time that checking each of them would. That they are as
the schemas say, the tests see to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Q, QuerySet, Window
from django.db.models.functions import RowNumber
from django.http import HttpResponse
from django.urls import get_script_prefix, reverse
from pydantic_core import to_json

from api.texts import IdText, TimeText, hyphened
from profiles.models import Appearance, Profile

NEWEST = 5  # Appearances shown with each profile where they are asked for.
OFTEN = 40  # More appearances than these are not read to find the newest among them.
NOWHERE = UUID(int=0)
FIELDS = (
    *(IdText("pk"), IdText("profile_id"), IdText("video_id"), "video__title", "camera__slug", "day"),
    *("first_s", "last_s", TimeText("first_at"), TimeText("last_at"), "quality", "similarity"),
)
QUALITY = FIELDS.index("quality")
Plain = dict[str, Any]


def answer(told: Plain) -> HttpResponse:
    return HttpResponse(to_json(told), "application/json; charset=utf-8")


@cache
def _pattern(name: str, _prefix: str) -> tuple[str, str]:
    before, after = reverse(name, args=[NOWHERE]).split(str(NOWHERE))
    return before, after


def _address(name: str) -> Callable[[UUID | str], str]:
    """As reverse() gives it, which takes its time a thousand times."""
    before, after = _pattern(name, get_script_prefix())
    return lambda id: f"{before}{id}{after}"


@dataclass(slots=True)
class Seen:
    """A profile's appearances: the best picture's id, how many there are, and the newest."""

    best: str | None = None
    count: int = 0
    newest: list[Plain] = field(default_factory=list)


def profiles(page: Sequence[Profile], *, expand: bool) -> list[Plain]:
    """Of rows that have their unit."""
    seen = _seen([profile.pk for profile in page], expand=expand)
    face_at, page_at = _address("api:face"), _address("profiles:profile")
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
            "face": face_at(its.best) if its.best else None,
            "appearance_count": its.count,
            "appearances": its.newest if expand else None,
            "page": page_at(profile.pk),
        }
        for profile in page
        for its in [seen[str(profile.pk)]]
    ]


def _seen(ids: Sequence[UUID], *, expand: bool) -> defaultdict[str, Seen]:
    """Of two queries, and a third where some have been seen often."""
    rows = Appearance.objects.filter(profile__in=ids)
    counts = dict(rows.order_by().values_list("profile_id").annotate(Count("pk")))
    seldom = [id for id, count in counts.items() if count <= OFTEN]
    if len(seldom) == len(counts):
        told = list(_in_order(rows))
    else:
        told = [*_in_order(rows.filter(profile__in=seldom)), *_in_order(_ranked(rows.exclude(profile__in=seldom)))]
    found: defaultdict[str, Seen] = defaultdict(Seen)
    tell = _teller()
    for profile, its_rows in groupby(told, key=itemgetter(1)):
        newest_first = list(its_rows)
        best = min(newest_first, key=lambda row: (-row[QUALITY], row[0]))
        newest = [tell(row) for row in newest_first[:NEWEST]] if expand else []
        found[hyphened(profile)] = Seen(hyphened(best[0]), counts.get(UUID(profile), len(newest_first)), newest)
    return found


def _ranked(rows: QuerySet[Appearance]) -> QuerySet[Appearance]:
    """Each profile's best and newest. All of them, where these are few, are read in a third of the time."""
    best = Window(RowNumber(), partition_by="profile_id", order_by=[F("quality").desc(), "pk"])
    place = Window(RowNumber(), partition_by="profile_id", order_by=[F("last_at").desc(), F("pk").desc()])
    return rows.annotate(best=best, place=place).filter(Q(best=1) | Q(place__lte=NEWEST))


def _in_order(rows: QuerySet[Appearance]) -> QuerySet[Appearance, tuple[Any, ...]]:
    return rows.order_by("profile_id", "-last_at", "-pk").values_list(*FIELDS)


def appearances(page: Sequence[Appearance]) -> list[Plain]:
    """In the page's order; one query."""
    rows = Appearance.objects.filter(pk__in=[each.pk for each in page]).order_by()
    found = {hyphened(row[0]): row for row in rows.values_list(*FIELDS)}
    tell = _teller()
    return [tell(found[str(each.pk)]) for each in page if str(each.pk) in found]


def in_video(page: Sequence[Appearance]) -> list[Plain]:
    """Appearances with their profiles, which the rows have."""
    known = [each.profile for each in page if each.profile]
    return [
        {"profile": profile, "appearance": appearance}
        for profile, appearance in zip(profiles(known, expand=False), appearances(page), strict=False)
    ]


def _teller() -> Callable[[Sequence[Any]], Plain]:
    """Makes of FIELDS what is shown."""
    video_at, face_at = _address("api:video"), _address("api:face")

    def tell(row: Sequence[Any]) -> Plain:
        raw, profile, film, title, camera, day, first_s, last_s, first_at, last_at, quality, similarity = row
        id, video = hyphened(raw), film and hyphened(film)
        return {
            "id": id,
            "profile": profile and hyphened(profile),
            "video": {"id": video, "title": title, "link": video_at(video)} if video else None,
            "camera": camera,
            "day": day,
            "first_s": first_s if video else None,
            "last_s": last_s if video else None,
            "first_at": first_at,
            "last_at": last_at,
            "quality": quality,
            "similarity": similarity,
            "face": face_at(id),
        }

    return tell
