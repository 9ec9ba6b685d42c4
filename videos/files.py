"""A video's files for those who may watch its unit: the film, whole or in ranges, its original, its pictures."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import UUID

from django.core.exceptions import SuspiciousFileOperation
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.text import get_valid_filename

from accounts.models import User
from recordings import stores
from recordings.files import is_beginning, served
from recordings.ranges import Content, piece_of
from videos import audit, originals
from videos.models import Video, VideoVisit
from videos.places import COPY, POSTER
from videos.storages import local_path, store

Found = Content | HttpResponseBase | None
NAME_LENGTH = 70  # In characters; three bytes each in Korean, and most disks take 255.

KINDS = {
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "mkv": "video/x-matroska",
    "webm": "video/webm",
    "avi": "video/x-msvideo",
}


def _video(user: User, id_: UUID) -> Video | None:
    return Video.objects.visible_to(user).complete().filter(pk=id_).first()


@served
def film(request: HttpRequest, user: User, id_: UUID) -> Found:
    video = _video(user, id_)
    return film_of(request, user, video) if video else None


def film_of(request: HttpRequest, user: User, video: Video) -> Found:
    """What the player plays: the original where every browser can, else its copy. That the user looks is noted."""
    found: Found = None
    if video.is_playable:
        found = _original(request, video)
    elif video.has_copy:
        found = _large(request, video, COPY, "video/mp4")
    if found:
        audit.note_once(user, audit.Action.VIEWED, video)
    return found


@served
def original(request: HttpRequest, user: User, id_: UUID) -> Found:
    video = _video(user, id_)
    return original_of(request, user, video) if video else None


def original_of(request: HttpRequest, user: User, video: Video) -> Found:
    """As a download, which is noted."""
    found = _original(request, video, name=download_name(video, f".{video.extension}"))
    if found and is_beginning(request):
        audit.note(user, audit.Action.DOWNLOADED, video)
    elif found and request.method == "GET":  # Pieces, in whatever order.
        audit.note_once(user, audit.Action.DOWNLOADED, video)
    return found


def download_name(video: Video, ending: str) -> str:
    """Its title, which is anybody's text, as the name of a file: without a path, and not too long."""
    title = re.sub(rf"\.({'|'.join(KINDS)})$", "", video.title, flags=re.IGNORECASE)
    try:
        return get_valid_filename(title.strip("./ ")[:NAME_LENGTH]) + ending
    except SuspiciousFileOperation:  # Nothing of it can be in a name.
        return f"video-{video.pk}{ending}"


def _original(request: HttpRequest, video: Video, name: str = "") -> Found:
    kind = KINDS[video.extension]
    if path := originals.local(video):
        return _content(path, video, kind, "original", name)
    return _large(request, video, video.original_name.removeprefix(f"{video.pk}/"), kind, name)


@served
def poster(request: HttpRequest, user: User, id_: UUID) -> Found:
    video = _video(user, id_)
    return poster_of(request, user, video) if video else None


def poster_of(request: HttpRequest, _user: User, video: Video) -> Found:
    return _picture(request, video, POSTER, "image/jpeg")


@served
def person(request: HttpRequest, user: User, id_: UUID) -> Found:
    visit = VideoVisit.objects.visible_to(user).select_related("video").filter(pk=id_).first()
    return person_of(request, user, visit) if visit else None


def person_of(request: HttpRequest, user: User, visit: VideoVisit) -> Found:
    """The best picture of somebody in a video. That the user looks is noted."""
    if not visit.picture:
        return None
    audit.note_once(user, audit.Action.VIEWED, visit.video)
    return _picture(request, visit.video, visit.picture.removeprefix(f"{visit.video_id}/"), "image/jpeg")


def _large(request: HttpRequest, video: Video, file: str, kind: str, name: str = "") -> Found:
    """From far away the browser fetches it itself, in ranges as it likes, at an address that soon is good no more."""
    stored = video.name_of(file)
    if path := local_path(stored):
        return _content(path, video, kind, file, name)
    files = stores.far(store())
    if files is None or not store().exists(stored):
        return None
    address = files.signed(stored, kind=kind, download_as=name, method=request.method or "GET")
    response = HttpResponseRedirect(address)
    patch_cache_control(response, private=True, no_store=True)
    return response


def _picture(request: HttpRequest, video: Video, file: str, kind: str) -> Found:
    """Small enough to go through here."""
    stored = video.name_of(file)
    if path := local_path(stored):
        return _content(path, video, kind, file)
    try:
        with store().open(stored) as picture:
            held = bytes(picture.read())
    except FileNotFoundError:
        return None
    etag = _etag(video, file, len(held))
    unchanged = get_conditional_response(request, etag)
    response = unchanged or HttpResponse(held, kind, headers={"ETag": etag})
    patch_cache_control(response, private=True, max_age=0, must_revalidate=True)
    return response


def _content(path: Path, video: Video, kind: str, what: str, name: str = "") -> Content | None:
    try:
        piece = piece_of(path)
    except FileNotFoundError:
        return None
    return Content([piece], kind, _etag(video, what, piece.length), video.done_at or video.created_at, name)


def _etag(video: Video, what: str, length: int) -> str:
    return f'"{video.pk}-{what.replace("/", "-")}-{length}"'
