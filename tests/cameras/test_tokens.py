"""Access tokens: what they open, what ends them, and that nobody can read them again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import RequestFactory
from django.utils import timezone

from accounts.models import Membership, User
from cameras import tokens
from cameras.models import Camera, Token
from cameras.tokens import Grant

pytestmark = pytest.mark.django_db


def opened_by(secret: str, **options: Any) -> Grant | None:
    request = RequestFactory().get("/", headers={"Authorization": f"Bearer {secret}"})
    return tokens.authenticate(request, **options)


def names(grant: Grant | None) -> set[str]:
    assert grant is not None
    return {camera.name for camera in grant.cameras(Camera.objects.watchable_by(grant.user))}


def test_a_token_is_256_random_bits_and_only_its_hash_is_stored(bob: User) -> None:
    (token, secret), (_token, other) = (tokens.issue(bob, "Wall") for _ in range(2))
    assert secret.startswith("omil_")
    assert len(secret) == 48
    assert secret != other
    assert secret not in str([*Token.objects.values()])
    assert len(token.token_hash) == 64


def test_it_opens_what_its_user_may_see_and_nothing_else(bob: User, camera_x: Camera, camera_y: Camera) -> None:
    _token, secret = tokens.issue(bob, "Wall")
    assert names(opened_by(secret)) == {"Gate X"}
    Membership.objects.filter(user=bob).delete()
    assert names(opened_by(secret)) == set()


def test_one_for_named_cameras_opens_no_other(bob: User, root: User, camera_x: Camera, camera_y: Camera) -> None:
    _token, of_root = tokens.issue(root, "Wall", cameras=[camera_y])
    assert names(opened_by(of_root)) == {"Gate Y"}
    # Not even where its user made it for a camera that is out of reach.
    _token, of_bob = tokens.issue(bob, "Wall", cameras=[camera_y])
    assert names(opened_by(of_bob)) == set()


def test_scopes_include_the_lesser_ones(bob: User) -> None:
    allowed = {}
    for scope in Token.Scope:
        grant = opened_by(tokens.issue(bob, "Wall", scope)[1])
        assert grant is not None
        allowed[scope] = [each for each in Token.Scope if grant.includes(each)]
    assert allowed == {"watch": ["watch"], "read": ["watch", "read"], "manage": ["watch", "read", "manage"]}


@pytest.mark.parametrize(
    "change",
    [
        {"token": {"revoked_at": timezone.now()}},
        {"token": {"expires_at": timezone.now() - timedelta(seconds=1)}},
        {"user": {"is_active": False}},
        {"user": {"is_approved": False}},
    ],
)
def test_it_ends_when_revoked_or_expired_and_with_its_user(bob: User, change: dict[str, Any]) -> None:
    token, secret = tokens.issue(bob, "Wall", expires_at=timezone.now() + timedelta(days=1))
    grant = opened_by(secret)
    assert grant is not None
    Token.objects.filter(pk=token.pk).update(**change.get("token", {"name": "Wall"}))
    User.objects.filter(pk=bob.pk).update(**change.get("user", {"last_name": "B"}))
    assert opened_by(secret) is None
    assert tokens.renewed(grant) is None


def test_one_is_revoked_once(bob: User) -> None:
    token, secret = tokens.issue(bob, "Wall")
    _other, kept = tokens.issue(bob, "Door")
    assert tokens.revoke(token)
    assert not tokens.revoke(token)
    assert opened_by(secret) is None
    assert opened_by(kept) is not None


def test_it_counts_in_the_query_only_where_that_is_said(bob: User) -> None:
    _token, secret = tokens.issue(bob, "Wall")
    request = RequestFactory().get("/", {"token": secret})
    assert tokens.authenticate(request) is None
    assert tokens.authenticate(request, in_query=True) is not None


@pytest.mark.parametrize(
    "secret", ["", "omil_", "omil_" + "x" * 43, "x" * 48, "omil_\ud800", "omil_\x00", "omil_열쇠", "o" * 100_000]
)
def test_nonsense_opens_nothing(db: None, secret: str) -> None:
    assert tokens.find(secret) is None
    assert tokens.authenticate(RequestFactory().get("/")) is None


@pytest.mark.parametrize("header", ["Basic {}", "{}", "Bearer", "Bearer {} {}", "Token {}"])
def test_only_the_bearer_scheme_counts(bob: User, header: str) -> None:
    _token, secret = tokens.issue(bob, "Wall")
    request = RequestFactory().get("/", headers={"Authorization": header.format(secret, secret)})
    assert tokens.authenticate(request) is None


def test_its_last_use_is_written_at_most_once_a_minute(
    bob: User, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    token, secret = tokens.issue(bob, "Wall")
    began = timezone.now()
    for after_s, last_used_s in [(0, 0), (59, 0), (60, 60), (61, 60), (200, 200)]:
        monkeypatch.setattr(timezone, "now", lambda s=after_s: began + timedelta(seconds=s))
        opened_by(secret)
        token.refresh_from_db()
        assert token.last_used_at == began + timedelta(seconds=last_used_s)
    with django_assert_num_queries(2):
        opened_by(secret)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_token_for_cameras_that_are_gone_ends_instead_of_opening_all(
    root: User, camera_x: Camera, camera_y: Camera, at_once: bool
) -> None:
    third = Camera.objects.create(name="Third", unit=camera_x.unit)
    secret = tokens.issue(root, "Wall", cameras=[camera_x, camera_y])[1]
    kept = tokens.issue(root, "Door", cameras=[camera_x, third])[1]
    every = tokens.issue(root, "All")[1]
    gone = Camera.objects.filter(pk__in=[camera_x.pk, camera_y.pk])
    if at_once:
        gone.delete()
    else:
        for camera in gone:
            camera.delete()
    assert opened_by(secret) is None
    assert names(opened_by(kept)) == {"Third"}
    assert names(opened_by(every)) == {"Third"}
