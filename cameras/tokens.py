"""Access tokens: let a program act for its user, no further than the token's scope and cameras.

Only the SHA-256 hash of a token is kept. What a token opens is looked up afresh at each use, always through its user's
own rights: `grant.cameras(Camera.objects.watchable_by(grant.user))`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import models, transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import User, may_log_in
from accounts.notices import rights_changed
from cameras.enrolment import hash_of
from cameras.models import Camera, CameraQuerySet, Token

PREFIX = "omil_"
PARAMETER = "token"  # In the query, for native clients that can send no header.
USED_EVERY = timedelta(minutes=1)
RANK = {Token.Scope.WATCH: 0, Token.Scope.READ: 1, Token.Scope.MANAGE: 2}


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token that holds lets its bearer do."""

    token_id: int
    user: User
    scope: Token.Scope
    camera_ids: frozenset[int] | None  # None: all that the user may see.

    def cameras(self, queryset: CameraQuerySet) -> CameraQuerySet:
        """Of these, which the caller has narrowed to the user's own, the token's."""
        return queryset if self.camera_ids is None else queryset.filter(pk__in=self.camera_ids)

    def includes(self, scope: Token.Scope) -> bool:
        return RANK[self.scope] >= RANK[scope]


def issue(
    user: User,
    name: str,
    scope: Token.Scope = Token.Scope.WATCH,
    cameras: Iterable[Camera] = (),
    expires_at: datetime | None = None,
) -> tuple[Token, str]:
    """A new token and its secret, which nobody can read again. No cameras: all that the user may see."""
    token = Token(user=user, name=name, scope=scope, expires_at=expires_at)
    return token, keep(token, cameras)


def keep(token: Token, cameras: Iterable[Camera]) -> str:
    """Stores a token that is not stored yet and returns its secret."""
    secret = f"{PREFIX}{secrets.token_urlsafe(32)}"
    token.token_hash = hash_of(secret)
    with transaction.atomic():
        token.save(force_insert=True)
        token.cameras.set(cameras)
    return secret


def presented(request: HttpRequest, *, in_query: bool = False) -> str | None:
    """The token that the request came with, right or wrong; in the query it counts where the caller says so."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return request.GET.get(PARAMETER) if in_query else None


def authenticate(request: HttpRequest, *, in_query: bool = False) -> Grant | None:
    """What the request's token lets it do; None without a token or with one that does not hold."""
    secret = presented(request, in_query=in_query)
    return find(secret) if secret else None


def find(secret: str) -> Grant | None:
    # Half a surrogate, which a query may bring, cannot be hashed.
    if not (secret.isascii() and secret.startswith(PREFIX)):
        return None
    return _grant(Token.objects.filter(token_hash=hash_of(secret)))


def renewed(grant: Grant) -> Grant | None:
    """The same token looked at again; None when it has ended. Streams ask on a timer."""
    return _grant(Token.objects.filter(pk=grant.token_id))


def _grant(found: models.QuerySet[Token]) -> Grant | None:
    token = found.select_related("user").first()
    now = timezone.now()
    if token is None or token.revoked_at is not None or not may_log_in(token.user):
        return None
    if token.expires_at is not None and token.expires_at <= now:
        return None
    if token.last_used_at is None or now - token.last_used_at >= USED_EVERY:
        Token.objects.filter(pk=token.pk).update(last_used_at=now)
    limits = frozenset(token.cameras.values_list("pk", flat=True))
    return Grant(token.pk, token.user, Token.Scope(token.scope), limits or None)


def revoke(token: Token) -> bool:
    """Ends the token, open streams included; False when it had been revoked before."""
    ended = Token.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())
    if ended:
        rights_changed(user_id=token.user_id)
    return bool(ended)


def end_with(camera: Camera) -> None:
    """Takes a camera that is about to go from its tokens. One that is left with none would open everything: it ends."""
    for token in Token.objects.filter(cameras=camera):
        token.cameras.remove(camera)
        if not token.cameras.exists():
            revoke(token)
