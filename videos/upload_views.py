"""The tus 1.0.0 server (https://tus.io): creation, termination and expiration, for users of the site's pages, and for
programs with a token for managing.

Why by our own hand: docs/decisions. Every refusal is JSON with a code and a sentence, beside tus' own status.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import wraps
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.utils.http import http_date
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from accounts.models import Unit, User, may_log_in
from cameras import tokens
from cameras.models import Token
from videos import intake, removal
from videos.intake import BusyError, Wish, WrongOffsetError
from videos.models import Video
from videos.problems import Refused, sentence

VERSION = "1.0.0"
EXTENSIONS = "creation,termination,expiration"
PATCH_TYPE = "application/offset+octet-stream"
MOST_AT_ONCE = 24_000_000  # In one request; the server hangs up on 32 MB.
READ_BYTES = 262_144
STATUS = {
    "too_big": 413,
    "piece_too_big": 413,
    "too_much": 413,
    "no_space": 507,
    "too_many_uploads": 429,
    "no_unit": 403,
    "faces_off": 403,
}

View = Callable[..., HttpResponse]


def tus(view: View) -> View:
    """For logged-in users whose client speaks this version; dresses every answer."""

    @wraps(view)
    def checked(request: HttpRequest, **where: UUID) -> HttpResponse:
        if not may_log_in(request.user):
            response: HttpResponse = _refusal(401, "session_ended")
        elif request.method != "OPTIONS" and request.headers.get("Tus-Resumable") != VERSION:
            response = _refusal(412, "bad_request")
            response["Tus-Version"] = VERSION
        else:
            try:
                response = view(request, **where)
            except Refused as refused:
                response = _refusal(STATUS.get(refused.code, 422), refused.code)
        response["Tus-Resumable"] = VERSION
        patch_cache_control(response, no_store=True)
        return response

    return checked


def open_to_tokens(view: View) -> View:
    """A token for managing stands for its user; no browser sends one unasked. A session needs its CSRF token."""
    by_session = csrf_protect(view)

    @wraps(view)
    def entered(request: HttpRequest, **where: UUID) -> HttpResponse:
        if tokens.presented(request) is None:
            return by_session(request, **where)
        grant = tokens.authenticate(request)
        if grant and not (grant.includes(Token.Scope.MANAGE) and grant.camera_ids is None):
            return _refusal(403, "no_unit")
        request.user = grant.user if grant else AnonymousUser()
        return view(request, **where)

    return csrf_exempt(entered)


def _refusal(status: int, code: str) -> JsonResponse:
    return JsonResponse({"code": code, "message": sentence(code)}, status=status)


@open_to_tokens
@require_http_methods(["OPTIONS", "POST"])
@tus
def creation(request: HttpRequest) -> HttpResponse:
    if request.method == "OPTIONS":
        response = HttpResponse(status=204)
        response["Tus-Version"] = VERSION
        response["Tus-Extension"] = EXTENSIONS
        response["Tus-Max-Size"] = str(settings.VIDEO_MAX_BYTES)
        return response
    assert isinstance(request.user, User)
    video = intake.begin(request.user, _wish(request, request.user))
    response = HttpResponse(status=201)
    response["Location"] = request.build_absolute_uri(reverse("videos:upload", args=[video.pk]))
    _tell(response, video, 0)
    return response


def _wish(request: HttpRequest, user: User) -> Wish:
    length = request.headers.get("Upload-Length", "")
    if not (length.isascii() and length.isdigit()) or len(length) > 18:
        raise Refused("no_length")
    told = _metadata(request.headers.get("Upload-Metadata", ""))
    units = Unit.objects.watchable_by(user)
    unit = units.filter(slug=told["unit"]).first() if "unit" in told else _only(list(units[:2]))
    if unit is None:
        raise Refused("no_unit")
    try:
        per_s = float(told.get("per_s") or settings.VIDEO_PER_S)
    except ValueError:
        raise Refused("bad_rate") from None
    return Wish(
        title=told.get("filename", ""),
        size=int(length),
        unit=unit,
        per_s=per_s,
        wants_faces=told.get("faces") == "1",
        wants_poses=told.get("poses") == "1",
    )


def _only(units: list[Unit]) -> Unit | None:
    """Who has one unit need not name it."""
    return units[0] if len(units) == 1 else None


def _metadata(header: str) -> dict[str, str]:
    """Pairs of a name and a text in base64."""
    found = {}
    for pair in header.split(","):
        name, _space, value = pair.strip().partition(" ")
        try:
            found[name] = b64decode(value, validate=True).decode("utf-8")
        except (NotBase64, ValueError):
            raise Refused("bad_request") from None
    return found


@open_to_tokens
@require_http_methods(["HEAD", "PATCH", "DELETE"])
@tus
def upload(request: HttpRequest, id_: UUID) -> HttpResponse:
    """One's own upload. One that is complete can still be asked for its offset, by a client that missed the answer."""
    assert isinstance(request.user, User)
    video = Video.objects.manageable_by(request.user).filter(pk=id_, uploaded_by=request.user).first()
    if video is None:
        return HttpResponse(status=404)
    try:
        if request.method == "HEAD":
            return _head(video)
        if video.state != Video.State.UPLOADING:
            return HttpResponse(status=403 if request.method == "DELETE" else 409)
        if request.method == "DELETE":
            removal.remove(video, request.user)
            return HttpResponse(status=204)
        return _patch(request, video)
    except FileNotFoundError:
        return HttpResponse(status=404)
    except BusyError:
        return HttpResponse(status=423)
    except WrongOffsetError:
        return HttpResponse(status=409)


def _head(video: Video) -> HttpResponse:
    at = intake.received(video)
    if at == video.size and video.state == Video.State.UPLOADING:  # Its last piece came, and no answer to it was made.
        video = intake.complete(video)
    response = HttpResponse()
    response["Upload-Length"] = str(video.size)
    _tell(response, video, at)
    return response


def _patch(request: HttpRequest, video: Video) -> HttpResponse:
    offset, length = request.headers.get("Upload-Offset", ""), int(request.headers.get("Content-Length") or 0)
    if request.headers.get("Content-Type") != PATCH_TYPE:
        return HttpResponse(status=415)
    if not (offset.isascii() and offset.isdigit()) or len(offset) > 18:
        raise Refused("bad_request")
    if length > MOST_AT_ONCE:
        raise Refused("piece_too_big")
    if int(offset) + length > video.size:
        raise Refused("too_much")
    at = intake.add(video, int(offset), _chunks(request))
    if at == video.size:
        video = intake.complete(video)
    response = HttpResponse(status=204)
    _tell(response, video, at)
    return response


def _chunks(request: HttpRequest) -> Iterator[bytes]:
    return iter(lambda: request.read(READ_BYTES), b"")


def _tell(response: HttpResponse, video: Video, offset: int) -> None:
    response["Upload-Offset"] = str(offset)
    if video.state == Video.State.UPLOADING:
        expires_at = video.touched_at + timedelta(seconds=settings.VIDEO_UPLOAD_KEPT_S)
        response["Upload-Expires"] = http_date(expires_at.timestamp())
