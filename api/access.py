"""Who calls, and what for: a session with its CSRF token, or an access token of enough scope."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest
from ninja.errors import HttpError
from ninja.security.base import AuthBase
from ninja.throttling import BaseThrottle
from ninja.utils import check_csrf

from accounts.models import Unit, User, may_log_in
from cameras import tokens
from cameras.models import Camera, CameraQuerySet, Token
from cameras.tokens import Grant
from profiles.models import Appearance, AppearanceQuerySet, Profile, ProfileQuerySet
from videos.models import Video, VideoQuerySet

WATCH, READ, MANAGE = Token.Scope.WATCH, Token.Scope.READ, Token.Scope.MANAGE


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever calls; the only door of an operation to cameras, videos and profiles."""

    user: User
    grant: Grant | None = None  # None: a session, which may do whatever its user may.

    def watched(self) -> CameraQuerySet:
        return self._narrowed(Camera.objects.watchable_by(self.user))

    def managed(self) -> CameraQuerySet:
        """None with a token that is not for managing, whatever its user may do."""
        if self.grant and not self.grant.includes(MANAGE):
            return Camera.objects.none()
        return self._narrowed(Camera.objects.manageable_by(self.user))

    def units(self) -> list[Unit]:
        """Where the caller may make cameras; nowhere with a token of certain cameras."""
        if self.grant and self.grant.camera_ids is not None:
            return []
        return list(Unit.objects.manageable_by(self.user))

    def videos(self) -> VideoQuerySet:
        """Those that have come whole, and the caller's own uploads. A token of certain cameras reaches none."""
        if self._is_of_cameras:
            return Video.objects.none()
        others = Q(state=Video.State.UPLOADING) & ~Q(uploaded_by=self.user)
        return Video.objects.visible_to(self.user).exclude(others)

    def profiles(self) -> ProfileQuerySet:
        return Profile.objects.none() if self._is_of_cameras else Profile.objects.visible_to(self.user)

    def erasable_profiles(self) -> ProfileQuerySet:
        return Profile.objects.none() if self._is_of_cameras else Profile.objects.manageable_by(self.user)

    def appearances(self) -> AppearanceQuerySet:
        """Of profiles; what waits to be confirmed is nobody's yet."""
        return Appearance.objects.filter(profile__in=self.profiles())

    @property
    def _is_of_cameras(self) -> bool:
        return self.grant is not None and self.grant.camera_ids is not None

    def _narrowed(self, cameras: CameraQuerySet) -> CameraQuerySet:
        return self.grant.cameras(cameras) if self.grant else cameras

    @property
    def key(self) -> str:
        return f"token {self.grant.token_id}" if self.grant else f"user {self.user.pk}"


class Request(HttpRequest):
    """A request that was let in."""

    auth: Caller


class AccessToken(AuthBase):
    """`Authorization: Bearer omil_…` of at least this scope."""

    openapi_type = "http"
    openapi_scheme = "bearer"

    def __init__(self, scope: Token.Scope) -> None:
        super().__init__()
        self.scope = scope

    def __call__(self, request: HttpRequest) -> Caller | None:
        if tokens.presented(request) is None:
            return None
        grant = tokens.authenticate(request)
        if grant is None:
            raise HttpError(401, "")
        if not grant.includes(self.scope):
            raise HttpError(403, "")
        return Caller(grant.user, grant)


class Session(AuthBase):
    """The site's own session; what changes anything needs its CSRF token as well (header X-CSRFToken)."""

    openapi_type = "apiKey"
    openapi_in = "cookie"
    openapi_name = settings.SESSION_COOKIE_NAME
    csrf = True

    def __call__(self, request: HttpRequest) -> Caller | None:
        if not may_log_in(request.user):
            return None
        if check_csrf(request):
            raise HttpError(403, "")
        return Caller(request.user)


def needs(scope: Token.Scope) -> list[AuthBase]:
    """The `auth` of an operation that a token of this scope may call."""
    return [AccessToken(scope), Session()]


class PerMinute(BaseThrottle):
    """So many requests per caller and minute of the clock; counted in this process, which is the only one to serve."""

    def __init__(self) -> None:
        self._minute = 0
        self._counts: Counter[str] = Counter()

    def allow_request(self, request: HttpRequest) -> bool:
        minute = int(time.time() // 60)
        if minute != self._minute:
            self._minute = minute
            self._counts.clear()
        caller: Caller = request.auth  # type: ignore[attr-defined]
        self._counts[caller.key] += 1
        return self._counts[caller.key] <= settings.API_PER_MINUTE

    def wait(self) -> float:
        return 60 - time.time() % 60
