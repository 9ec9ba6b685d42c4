"""A clip's files for those who may watch its camera: the film, whole or in ranges, its poster, its filmstrip."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import timedelta
from functools import wraps
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.models import User, may_log_in
from recordings import audit, export, footage, ranges
from recordings.models import AuditEntry, Recording
from recordings.ranges import Content

SAME_VIEW = timedelta(minutes=10)  # A player asks for a film many times; it is noted once.
Find = Callable[[HttpRequest, User, UUID], Content | HttpResponseBase | None]


def served(find: Find) -> Callable[[HttpRequest, UUID], Coroutine[Any, Any, HttpResponseBase]]:
    """A view of what `find` gives: None is not found. Only `find` waits for the database, the film for nobody."""

    def look(request: HttpRequest, id_: UUID) -> Content | HttpResponseBase:
        if not may_log_in(request.user):
            return redirect_to_login(request.get_full_path())
        content = find(request, request.user, id_)
        if content is None:
            raise Http404
        return content

    @require_safe
    @wraps(find)
    async def view(request: HttpRequest, id_: UUID) -> HttpResponseBase:
        found = await sync_to_async(look)(request, id_)
        return ranges.respond(request, found) if isinstance(found, Content) else found

    return view


def _clip(user: User, id_: UUID) -> Recording | None:
    return Recording.objects.visible_to(user).select_related("camera").filter(pk=id_).first()


@served
def video(request: HttpRequest, user: User, id_: UUID) -> Content | None:
    clip = _clip(user, id_)
    content = footage.film(clip) if clip else None
    if clip and content:
        _note_view(user, clip)
    return content


def _note_view(user: User, clip: Recording) -> None:
    lately = AuditEntry.objects.filter(at__gt=timezone.now() - SAME_VIEW)
    if not lately.filter(user=user, recording_id=clip.pk, action=AuditEntry.Action.VIEWED).exists():
        audit.note(user, AuditEntry.Action.VIEWED, clip)


@served
def download(request: HttpRequest, user: User, id_: UUID) -> Content | None:
    clip = _clip(user, id_)
    content = footage.film(clip, as_download=True) if clip else None
    if clip and content and is_beginning(request):
        audit.note(user, AuditEntry.Action.DOWNLOADED, clip)
    return content


def is_beginning(request: HttpRequest) -> bool:
    """Not the rest of a download that was broken off."""
    asked = request.headers.get("Range", "")
    return request.method == "GET" and (not asked or asked.replace(" ", "").startswith("bytes=0-"))


@served
def poster(_request: HttpRequest, user: User, id_: UUID) -> Content | None:
    clip = _clip(user, id_)
    return footage.poster(clip) if clip else None


@served
def strip(_request: HttpRequest, user: User, id_: UUID) -> Content | None:
    clip = _clip(user, id_)
    return footage.strip(clip) if clip else None


@served
def export_file(request: HttpRequest, user: User, id_: UUID) -> Content | None:
    """Of one's own exports only, and only while the camera is still one's own to watch."""
    film = export.own(user).select_related("camera").filter(pk=id_).first()
    content = export.content_of(film) if film else None
    if film and content and is_beginning(request):
        audit.note(user, AuditEntry.Action.EXPORTED, camera=film.camera, detail=str(film))
    return content
