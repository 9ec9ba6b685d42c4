"""A camera's annotated pictures for any client, one or one after the other; by a session or by an access token."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from asgiref.sync import sync_to_async
from django.contrib.auth.views import redirect_to_login
from django.db import close_old_connections
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.gatekeeper import user_of
from accounts.models import may_log_in
from cameras import tokens
from cameras.models import Camera
from cameras.tokens import Grant
from detections.marks import LEAST_PX, MOST_PX, STEP_PX, USUAL_SIZE, Size, is_size
from detections.scenes import Scene
from detections.sight import draw
from detections.stream import BOUNDARY, Full, Viewer, hub, pencils

RETRY_S = 10
TEXT = "text/plain; charset=utf-8"
KIND = f"multipart/x-mixed-replace; boundary={BOUNDARY}"


@dataclass(frozen=True, slots=True)
class Access:
    """Who may see which camera, and by what proof: a token, or else the cookies of a session."""

    camera_id: int
    user_id: int
    grant: Grant | None
    cookies: str

    def holds(self) -> bool:
        """Whether it still does. Blocks; reads everything afresh."""
        try:
            if self.grant:
                grant = tokens.renewed(self.grant)
                user = grant.user if grant else None
            else:
                grant, user = None, user_of({"headers": [(b"cookie", self.cookies.encode("latin-1"))]})
            if user is None or user.pk != self.user_id:
                return False
            cameras = Camera.objects.watchable_by(user)
            return (grant.cameras(cameras) if grant else cameras).filter(pk=self.camera_id).exists()
        finally:
            close_old_connections()


def admit(request: HttpRequest, slug: str) -> Access | HttpResponseBase:
    """What the request may see, or the refusal. A wrong token is told so, whatever session comes with it."""
    try:
        if tokens.presented(request, in_query=True) is not None:
            grant = tokens.authenticate(request, in_query=True)
            if grant is None:
                return _unauthorized(_("This token does not hold: it is wrong, or has been revoked or has expired."))
            user = grant.user
            cameras = grant.cameras(Camera.objects.watchable_by(user))
        elif may_log_in(request.user):
            grant, user = None, request.user
            cameras = Camera.objects.watchable_by(user)
        elif "text/html" in request.headers.get("Accept", "text/html"):
            return redirect_to_login(request.get_full_path())
        else:  # A program has no use for a page.
            return _unauthorized(_("This takes a session, or an access token."))
        camera_id = cameras.filter(slug=slug).values_list("pk", flat=True).first()
        if camera_id is None:
            raise Http404
        return Access(camera_id, user.pk, grant, request.headers.get("Cookie", ""))
    finally:
        close_old_connections()  # A stream may last for weeks, and this connection would last with it.


def _unauthorized(text: str) -> HttpResponse:
    return HttpResponse(text, TEXT, status=401, headers={"WWW-Authenticate": "Bearer"})


class BadSize(ValueError):
    """The size asked for is none that is served; the text says what is."""


def asked_size(request: HttpRequest, otherwise: Size | None = None) -> Size | None:
    """From width and height in the query; without both `otherwise`. Raises BadSize."""
    if not {"width", "height"} & set(request.GET):
        return otherwise
    usual_w, usual_h = USUAL_SIZE
    if "height" not in request.GET:
        width = _asked_side(request, "width")
        return width, _nearest(width * usual_h / usual_w)
    height = _asked_side(request, "height")
    return _asked_side(request, "width") if "width" in request.GET else _nearest(height * usual_w / usual_h), height


def _nearest(side_px: float) -> int:
    """A side that is allowed."""
    return min(max(round(side_px / STEP_PX) * STEP_PX, LEAST_PX), MOST_PX)


def _asked_side(request: HttpRequest, name: str) -> int:
    raw = request.GET[name]
    if not (raw.isascii() and raw.isdecimal() and len(raw) <= 5 and is_size(int(raw), int(raw))):
        text = _("%(name)s must be a multiple of %(step)d from %(least)d to %(most)d, not “%(given)s”.")
        given = raw[:20]
        raise BadSize(text % {"name": name, "step": STEP_PX, "least": LEAST_PX, "most": MOST_PX, "given": given})
    return int(raw)


class PicturesResponse(StreamingHttpResponse):
    """One picture after the other, each replacing the one before it, for as long as the viewer reads."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__((), content_type=KIND)
        self._viewer = viewer

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._viewer.parts()


@require_safe
async def stream(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Pictures as they come; of a silent camera, since when there is none."""
    access = await sync_to_async(admit)(request, slug)
    if not isinstance(access, Access):
        return access
    response: HttpResponseBase
    try:
        size_wh = asked_size(request, USUAL_SIZE)
        assert size_wh
        if request.method == "HEAD":
            response = HttpResponse(content_type=KIND)
        else:
            viewer = hub().join(access.camera_id, size_wh, user_id=access.user_id, prove=access.holds)
            response = PicturesResponse(viewer)
    except BadSize as refusal:
        response = HttpResponse(str(refusal), TEXT, status=400)
    except Full as refusal:
        response = HttpResponse(str(refusal), TEXT, status=503, headers={"Retry-After": str(RETRY_S)})
    response["X-Accel-Buffering"] = "no"  # Proxies are to pass each picture on at once.
    return _unkept(response)


@require_safe
async def snapshot(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The newest picture, in its own size unless another is asked for; an old one is not passed off as new."""
    access = await sync_to_async(admit)(request, slug)
    if not isinstance(access, Access):
        return access
    try:
        size_wh = asked_size(request)
    except BadSize as refusal:
        return _unkept(HttpResponse(str(refusal), TEXT, status=400))
    scene = await hub().glimpse(access.camera_id)
    jpeg = await _drawn(scene, size_wh) if scene else None
    if scene is None or jpeg is None:
        return _unkept(HttpResponse(_("There is no picture of this camera now."), TEXT, status=404))
    response = HttpResponse(jpeg, "image/jpeg")
    response["X-Captured-At"] = f"{scene.frame.captured_at:.3f}"
    return _unkept(response)


async def _drawn(scene: Scene, size_wh: Size | None) -> bytes | None:
    """None where the picture is damaged: BadImage, whose module would load the vision libraries here."""
    try:
        return await asyncio.get_running_loop().run_in_executor(pencils(), draw, scene, size_wh)
    except ValueError:
        return None


def _unkept(response: HttpResponseBase) -> HttpResponseBase:
    response["Cache-Control"] = "private, no-store"
    return response
