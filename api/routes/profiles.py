"""People who are known by their faces: to list and search, look at, edit and erase. Every look is noted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import Field

from api import people
from api.access import MANAGE, READ, Request, needs
from api.files import file_of
from api.paging import Moment, Order, Slug, TurnQuery
from api.problems import Problem, Refusal, fault
from api.profile_schemas import AppearancePage, ErasedOut, Listing, ProfileChange, ProfileOut, ProfilePage, Words
from api.video_schemas import VideoOut, VideoPage
from profiles import audit, erase, pictures
from profiles.forms import UNNAMED, can_be_born, searched
from profiles.models import Appearance, Profile, ProfileLook, ProfileQuerySet
from videos.models import Video

router = Router(tags=["profiles"])
ORDER: Order[Profile] = Order("profiles", "seen_at")
APPEARANCES: Order[Appearance] = Order("appearances", "last_at")
VIDEOS: Order[Video] = Order("videos-of", "created_at")
SAME_LOOK = timedelta(minutes=10)  # Whoever fetches picture after picture of one person looks at them once.
Action = ProfileLook.Action


class Expand(Schema):
    """What is shown along with each profile."""

    expand: Literal["appearances"] | None = Field(None, description="Its newest five appearances.")


class ProfileFilter(Expand):
    """Which profiles; times are of when they were last seen."""

    q: Words | None = Field(None, description="Words, each of which is in the name or the notes.")
    unit: Slug | None = Field(None, description="The unit's short name.")
    listing: Listing | None = None
    is_named: bool | None = None
    since: Moment | None = Field(None, alias="from", description="Last seen at or after this time.")
    until: Moment | None = Field(None, alias="to", description="Last seen before this time.")

    def narrow(self, profiles: ProfileQuerySet) -> ProfileQuerySet:
        profiles = searched(profiles, self.q or "")
        if self.unit is not None:
            profiles = profiles.filter(unit__slug=self.unit)
        if self.listing is not None:
            profiles = profiles.filter(listing=self.listing)
        if self.is_named is not None:
            profiles = profiles.exclude(UNNAMED) if self.is_named else profiles.filter(UNNAMED)
        if self.since is not None:
            profiles = profiles.filter(seen_at__gte=self.since)
        return profiles.filter(seen_at__lt=self.until) if self.until is not None else profiles


def _seen(request: Request) -> ProfileQuerySet:
    return request.auth.profiles().select_related("unit")


def _looked_at(request: Request, id: UUID) -> Profile:
    found = get_object_or_404(_seen(request), pk=id)
    audit.note(request.auth.user, Action.VIEWED, found)
    return found


@router.get("/profiles", auth=needs(READ), response=ProfilePage, operation_id="listProfiles", url_name="profiles")
def list_profiles(request: Request, turn: TurnQuery, wanted: Query[ProfileFilter]) -> Any:
    """Profiles, last seen first."""
    page, cursor = ORDER.page(wanted.narrow(_seen(request)), turn)
    audit.note(request.auth.user, Action.LISTED, detail=f"{len(page)} profiles")
    return people.answer({"items": people.profiles(page, expand=wanted.expand is not None), "next": cursor})


@router.get(
    "/profiles/{uuid:id}",
    auth=needs(READ),
    response={200: ProfileOut, 404: Problem},
    operation_id="getProfile",
    url_name="profile",
)
def get_profile(request: Request, id: UUID, wanted: Query[Expand]) -> Any:
    """One profile."""
    return people.answer(people.profiles([_looked_at(request, id)], expand=wanted.expand is not None)[0])


@router.patch(
    "/profiles/{uuid:id}",
    auth=needs(MANAGE),
    response={200: ProfileOut, 404: Problem},
    operation_id="changeProfile",
    url_name="profile",
)
def change_profile(request: Request, id: UUID, body: ProfileChange) -> Any:
    """Writes down what is known about somebody. Whoever may see a profile may do this."""
    given = body.model_dump(exclude_unset=True)
    if given.get("birth_date") and not can_be_born(given["birth_date"]):
        raise fault("body.birth_date", "nobody who is alive was born on that day")
    with transaction.atomic():
        found = get_object_or_404(_seen(request).select_for_update(of=("self",)), pk=id)
        changed = [name for name, value in given.items() if getattr(found, name) != value]
        for name in changed:
            setattr(found, name, given[name])
        if changed:
            found.save(update_fields=changed)
            audit.note(request.auth.user, Action.EDITED, found, ", ".join(changed))
        else:
            audit.note(request.auth.user, Action.VIEWED, found)
    return people.answer(people.profiles([found], expand=False)[0])


@router.delete(
    "/profiles/{uuid:id}",
    auth=needs(MANAGE),
    response={200: ErasedOut, 404: Problem},
    operation_id="eraseProfile",
    url_name="profile",
)
def erase_profile(request: Request, id: UUID) -> Any:
    """Erases a profile with its pictures, vectors and links, and says what went. Only a unit's admin may do this."""
    found = get_object_or_404(_seen(request), pk=id)
    if not request.auth.erasable_profiles().filter(pk=found.pk).exists():
        raise Refusal(403)
    gone = erase.profile(found, request.auth.user)
    return ErasedOut(
        appearances=gone.appearances,
        pictures=gone.pictures,
        faces=gone.faces,
        negatives=gone.negatives,
        questions=gone.questions,
    )


@router.get(
    "/profiles/{uuid:id}/appearances",
    auth=needs(READ),
    response={200: AppearancePage, 404: Problem},
    operation_id="listAppearances",
    url_name="profile-appearances",
)
def list_appearances(request: Request, id: UUID, turn: TurnQuery) -> Any:
    """Where somebody was seen, in videos and before cameras, newest first."""
    page, cursor = APPEARANCES.page(_looked_at(request, id).appearances.all(), turn)
    return people.answer({"items": people.appearances(page), "next": cursor})


@router.get(
    "/profiles/{uuid:id}/videos",
    auth=needs(READ),
    response={200: VideoPage, 404: Problem},
    operation_id="listProfileVideos",
    url_name="profile-videos",
)
def list_videos(request: Request, id: UUID, turn: TurnQuery) -> Any:
    """The videos in which somebody was seen, newest first."""
    found = request.auth.videos().filter(appearances__profile=_looked_at(request, id))
    page, cursor = VIDEOS.page(found.select_related("unit", "uploaded_by"), turn)
    return VideoPage(items=[VideoOut.of(video) for video in page], next=cursor)


@router.get(
    "/appearances/{uuid:id}/face.jpg",
    auth=needs(READ),
    response={404: Problem},
    operation_id="getFace",
    url_name="face",
    openapi_extra=file_of("image/jpeg", 200),
)
def get_face(request: Request, id: UUID) -> HttpResponse:
    """The face of one appearance."""
    appearance = get_object_or_404(request.auth.appearances().select_related("profile"), pk=id)
    jpeg = pictures.read(appearance.crop)
    if jpeg is None or appearance.profile is None:
        raise Http404
    _note_look(request, appearance.profile)
    return HttpResponse(jpeg, "image/jpeg")


def _note_look(request: Request, profile: Profile) -> None:
    lately = ProfileLook.objects.filter(profile_id=profile.pk, at__gt=timezone.now() - SAME_LOOK)
    if not lately.filter(user=request.auth.user, action=Action.VIEWED).exists():
        audit.note(request.auth.user, Action.VIEWED, profile, "face")
