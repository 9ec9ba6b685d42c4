"""The pages of profiles: the list, one person with where they appeared, open questions, pictures, and the export."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from typing import Any
from uuid import UUID

from django.contrib.auth.views import redirect_to_login
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.cache import patch_cache_control
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.models import may_log_in
from detections.views import for_watchers
from profiles import audit, pictures, weights
from profiles.forms import Place, ProfileFilter, ProfileForm
from profiles.models import Appearance, Confirmation, Profile, ProfileLook, ProfileQuerySet

PAGE_LENGTH = 48
SHOWN = 200  # Appearances on a profile's page.
OFFERED = 60  # Profiles to merge with or move to.


def with_faces(profiles: ProfileQuerySet) -> ProfileQuerySet:
    """With the best appearance of each, and how many there are: asked of the page's rows alone, not of all."""
    own = Appearance.objects.filter(profile=OuterRef("pk"))
    counted = own.order_by().values("profile").annotate(n=Count("pk")).values("n")
    best = own.order_by("-quality", "pk").values("pk")[:1]
    return profiles.annotate(face=Subquery(best), count=Coalesce(Subquery(counted), 0))


@for_watchers
def profile_list(request: HttpRequest) -> HttpResponse:
    form = ProfileFilter(request.GET, viewer=request.user)
    profiles = form.narrow(with_faces(Profile.objects.visible_to(request.user)).select_related("unit"))
    if place := Place.parse(request.GET.get("cursor", "")):
        profiles = profiles.filter(place.behind())
    found = list(profiles[: PAGE_LENGTH + 1])
    page = found[:PAGE_LENGTH]
    query = request.GET.copy()
    query.pop("cursor", None)
    audit.note(request.user, ProfileLook.Action.LISTED, detail=f"{len(page)} profiles")
    context = {
        "form": form,
        "profiles": page,
        "is_filtered": any(query.values()),
        "is_first": place is None,
        "questions": questions_of(request).count(),
        "next": f"{query.urlencode()}&cursor={Place.of(page[-1])}" if len(found) > PAGE_LENGTH else "",
        "missing": "" if weights.are_there() else weights.how_to_add(),
    }
    is_more = request.headers.get("HX-Request") == "true" and "cursor" in request.GET
    response = render(request, f"profiles/{'_page' if is_more else 'list'}.html", context)
    response["Vary"] = "HX-Request"
    return response


def questions_of(request: HttpRequest) -> Any:
    return Confirmation.objects.filter(candidate__in=Profile.objects.visible_to(request.user))


@for_watchers
def profile(request: HttpRequest, id_: UUID) -> HttpResponse:
    found = get_object_or_404(with_faces(Profile.objects.visible_to(request.user)).select_related("unit"), pk=id_)
    audit.note(request.user, ProfileLook.Action.VIEWED, found)
    return render(request, "profiles/profile.html", page_of(request, found, ProfileForm(instance=found)))


def page_of(request: HttpRequest, found: Profile, form: ProfileForm) -> dict[str, Any]:
    appearances = found.appearances.select_related("video", "camera")[:SHOWN]
    others = with_faces(Profile.objects.visible_to(request.user).filter(unit=found.unit_id).exclude(pk=found.pk))
    return {
        "profile": found,
        "form": form,
        "appearances": appearances,
        "others": others[:OFFERED],
        "may_erase": Profile.objects.manageable_by(request.user).filter(pk=found.pk).exists(),
        "looks": ProfileLook.objects.filter(profile_id=found.pk)[:8],
    }


@for_watchers
def confirm(request: HttpRequest) -> HttpResponse:
    """Questions that only people can answer, the likeliest first."""
    questions = list(
        questions_of(request).select_related("appearance__video", "appearance__camera", "candidate")[:PAGE_LENGTH]
    )
    candidates = with_faces(Profile.objects.filter(pk__in={one.candidate_id for one in questions}))
    faces = {candidate.pk: getattr(candidate, "face", None) for candidate in candidates}
    for candidate in candidates:
        audit.note(request.user, ProfileLook.Action.VIEWED, candidate, "question")
    context = {"questions": [(one, faces.get(one.candidate_id)) for one in questions]}
    return render(request, "profiles/confirm.html", context)


@never_cache
@require_safe
def crop(request: HttpRequest, id_: UUID) -> HttpResponse:
    """The face of one appearance."""
    if not may_log_in(request.user):
        return redirect_to_login(request.get_full_path())
    appearance = get_object_or_404(Appearance.objects.visible_to(request.user), pk=id_)
    jpeg = pictures.read(appearance.crop)
    if jpeg is None:
        raise Http404
    response = HttpResponse(jpeg, "image/jpeg")
    patch_cache_control(response, private=True, no_store=True)
    return response


@for_watchers
def export(request: HttpRequest, id_: UUID) -> HttpResponse:
    """All that is held about a profile: a ZIP with one JSON file and the pictures."""
    found = get_object_or_404(Profile.objects.visible_to(request.user).select_related("unit"), pk=id_)
    if not Profile.objects.manageable_by(request.user).filter(pk=found.pk).exists():
        raise Http404
    audit.note(request.user, ProfileLook.Action.EXPORTED, found)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("profile.json", json.dumps(held_about(found), ensure_ascii=False, indent=2))
        for appearance in found.appearances.all():
            if jpeg := pictures.read(appearance.crop):
                archive.writestr(f"pictures/{appearance.pk}.jpg", jpeg)
    response = HttpResponse(packed.getvalue(), "application/zip")
    response["Content-Disposition"] = f'attachment; filename="profile-{str(found.pk)[:8]}.zip"'
    return response


def held_about(found: Profile) -> dict[str, Any]:
    """Plain values. Vectors are float32, little-endian, in base64."""
    fields = ("surname", "name", "middle_name", "sex", "notes", "listing")
    return {
        "id": str(found.pk),
        "unit": found.unit.name,
        **{name: getattr(found, name) for name in fields},
        "birth_date": found.birth_date.isoformat() if found.birth_date else None,
        "created_at": found.created_at.isoformat(),
        "seen_at": found.seen_at.isoformat(),
        "appearances": [
            {
                "id": str(one.pk),
                "video": str(one.video_id) if one.video_id else None,
                "camera": one.camera.slug if one.camera else None,
                "day": one.day.isoformat() if one.day else None,
                "first_s": one.first_s if one.video_id else None,
                "last_s": one.last_s if one.video_id else None,
                "first_at": one.first_at.isoformat(),
                "last_at": one.last_at.isoformat(),
                "picture": f"pictures/{one.pk}.jpg",
                "faces": [
                    {"embedder": face.embedder, "vector": base64.b64encode(bytes(face.vector)).decode()}
                    for face in one.faces.all()
                ],
            }
            for one in found.appearances.select_related("camera").prefetch_related("faces")
        ],
        "not_this_person": [
            {"embedder": one.embedder, "vector": base64.b64encode(bytes(one.vector)).decode()}
            for one in found.negatives.all()
        ],
        "questions": [
            {"appearance": str(one.appearance_id), "similarity": one.similarity} for one in found.confirmations.all()
        ],
        "looks": [
            {"at": one.at.isoformat(), "user": one.user_name, "action": one.action, "detail": one.detail}
            for one in ProfileLook.objects.filter(profile_id=found.pk)
        ],
    }
