"""Downloads of a video's key points for those who may watch it, streamed from the storage line by line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import IO, Any
from uuid import UUID

from django.core.files.storage import storages
from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.http import content_disposition_header

from accounts.models import User
from detections.views import for_watchers
from videos import audit, files, keypoints
from videos.models import Video

CHUNK_CHARACTERS = 65_536
Maker = Callable[[Iterator[dict[str, Any]]], Iterator[str]]


class TextResponse(StreamingHttpResponse):
    """Text that is made while it is sent, and not in the server's thread."""

    def __init__(self, file: IO[bytes], make: Maker, **options: Any) -> None:
        self._chunks = _chunks(make(_rows(file)))
        super().__init__(self._chunks, **options)
        self._resource_closers.append(file.close)  # type: ignore[attr-defined]  # Unknown to the stubs.

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := await asyncio.to_thread(next, self._chunks, b""):
            yield chunk


def _rows(file: IO[bytes]) -> Iterator[dict[str, Any]]:
    with file:
        for line in file:
            yield json.loads(line)


def _chunks(texts: Iterator[str]) -> Iterator[bytes]:
    kept, length = [], 0
    for text in texts:
        kept.append(text)
        length += len(text)
        if length >= CHUNK_CHARACTERS:
            yield "".join(kept).encode()
            kept, length = [], 0
    if kept:
        yield "".join(kept).encode()


def _seen(request: HttpRequest, id_: UUID) -> tuple[Video, User]:
    assert isinstance(request.user, User)  # for_watchers has asked.
    return get_object_or_404(Video.objects.visible_to(request.user), pk=id_), request.user


def _respond(video: Video, user: User, kind: str, make: Callable[[Video], Maker]) -> HttpResponseBase:
    if not video.wants_poses or video.state != Video.State.DONE:
        raise Http404
    try:
        file = storages["videos"].open(video.name_of(keypoints.FILE))
    except FileNotFoundError:
        raise Http404 from None
    response = TextResponse(file, make(video), content_type=kind)
    suffix = "csv" if "csv" in kind else "json"
    name = files.download_name(video, f"-keypoints.{suffix}")
    response["Content-Disposition"] = content_disposition_header(True, name)
    audit.note_once(user, audit.Action.DOWNLOADED, video, kind.partition(";")[0])
    return response


def csv_of(video: Video, user: User) -> HttpResponseBase:
    """Raises Http404 where there are none."""

    def make(video: Video) -> Maker:
        people = keypoints.people_by_track(video)
        return lambda rows: keypoints.as_csv(rows, people)

    return _respond(video, user, "text/csv; charset=utf-8", make)


def json_of(video: Video, user: User) -> HttpResponseBase:
    """Raises Http404 where there are none."""

    def make(video: Video) -> Maker:
        people = keypoints.people_by_track(video)
        return lambda rows: keypoints.as_json(rows, people, video)

    return _respond(video, user, "application/json", make)


@for_watchers
def as_csv(request: HttpRequest, id_: UUID) -> Any:
    return csv_of(*_seen(request, id_))


@for_watchers
def as_json(request: HttpRequest, id_: UUID) -> Any:
    return json_of(*_seen(request, id_))
