"""Whose a socket is, and when it stops being theirs."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.gatekeeper import cookies_of, user_of
from accounts.models import Membership, Role, User

pytestmark = pytest.mark.django_db


def scope_of(client: Client) -> dict[str, Any]:
    cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    return {"type": "websocket", "headers": [(b"host", b"localhost"), (b"cookie", cookie.encode())]}


@pytest.fixture
def scope(client: Client, bob: User) -> dict[str, Any]:
    client.force_login(bob)
    return scope_of(client)


def test_a_session_names_its_user(scope: dict[str, Any], bob: User) -> None:
    assert user_of(scope) == bob


@pytest.mark.parametrize("key", ["", "short", "a" * 32, "\xff\xfe\x00'; DROP TABLE", "=;;=" * 50])
def test_a_made_up_session_has_no_user(key: str, settings: Settings) -> None:
    cookie = f"{settings.SESSION_COOKIE_NAME}={key}".encode("latin-1")
    assert user_of({"headers": [(b"cookie", cookie)]}) is None


@pytest.mark.parametrize("headers", [[], [(b"cookie", b"")], [(b"cookie", b"\xff=\x00; ==;")]])
def test_without_a_session_there_is_no_user(headers: list[tuple[bytes, bytes]]) -> None:
    assert user_of({"headers": headers}) is None


def test_cookies_in_several_headers_count_together() -> None:
    headers = [(b"cookie", b"a=1"), (b"accept", b"x=9"), (b"cookie", b'b="2"; c')]
    assert cookies_of({"headers": headers}) == {"a": "1", "b": "2", "": "c"}


@pytest.mark.parametrize(
    "change",
    [
        {"is_active": False},
        {"is_approved": False},
        {"password": "!unusable"},
        {"session_epoch": 7},
    ],
)
def test_a_change_of_the_account_ends_the_session_at_the_next_look(
    scope: dict[str, Any], bob: User, change: dict[str, Any]
) -> None:
    User.objects.filter(pk=bob.pk).update(**change)
    assert user_of(scope) is None
    # Looking only reads: what other requests find of the session is theirs to judge.
    assert Session.objects.exists()


def test_logging_out_ends_it(client: Client, scope: dict[str, Any]) -> None:
    client.logout()
    assert user_of(scope) is None


def test_a_deleted_account_ends_it(scope: dict[str, Any], bob: User) -> None:
    bob.delete()
    assert user_of(scope) is None


def test_an_expired_session_ends_it(scope: dict[str, Any]) -> None:
    Session.objects.update(expire_date=timezone.now())
    assert user_of(scope) is None


def test_a_session_of_a_backend_no_longer_in_use_is_none(
    client: Client, scope: dict[str, Any], settings: Settings
) -> None:
    session = client.session
    session[BACKEND_SESSION_KEY] = "somewhere.else.Backend"
    session.save()
    assert user_of(scope) is None


def test_a_session_without_its_proof_is_none(client: Client, scope: dict[str, Any]) -> None:
    session = client.session
    del session[HASH_SESSION_KEY]
    session.save()
    assert user_of(scope) is None


def test_every_look_sees_the_rights_of_now(scope: dict[str, Any], bob: User) -> None:
    user = user_of(scope)
    assert user is not None
    assert user.may_watch
    Membership.objects.filter(user=bob).update(role=Role.GUARD_POST)
    user = user_of(scope)
    assert user is not None
    assert not user.may_watch
