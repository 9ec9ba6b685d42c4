"""A clip's files for those who may watch its camera: the film, whole or in ranges, its poster, its filmstrip."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from accounts.models import User, may_log_in
from recordings import audit, export, footage, ranges
from recordings.models import AuditEntry, Recording
from recordings.ranges import Content

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
        audit.note_once(user, AuditEntry.Action.VIEWED, clip)
    return content


@served
def download(request: HttpRequest, user: User, id_: UUID) -> Content | None:
    clip = _clip(user, id_)
    content = footage.film(clip, as_download=True) if clip else None
    if clip and content:
        note_taken(request, user, AuditEntry.Action.DOWNLOADED, clip)
    return content


def note_taken(request: HttpRequest, user: User, action: AuditEntry.Action, *about: Any) -> None:
    """Each time that it is begun at its beginning; the pieces of one that is fetched in another way together."""
    if is_beginning(request):
        audit.note(user, action, *about)
    elif request.method == "GET":
        audit.note_once(user, action, *about)


def is_beginning(request: HttpRequest) -> bool:
    """Not the rest of a download that was broken off, nor any other piece."""
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
    if film and content:
        note_taken(request, user, AuditEntry.Action.EXPORTED, None, film.camera, str(film))
    return content
