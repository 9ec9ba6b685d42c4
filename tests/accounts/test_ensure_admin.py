"""The first start makes an admin whose password is told once and kept; a password of one's own replaces it."""

from __future__ import annotations

import io
import stat

import pytest
from django.core.management import call_command
from pytest_django import Settings

from accounts.models import User

pytestmark = pytest.mark.django_db


def ensure_admin() -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("ensure_admin", stdout=out, stderr=err)
    return out.getvalue().strip(), err.getvalue().strip()


def test_the_first_start_makes_an_admin_and_tells_the_password_once(settings: Settings) -> None:
    name, _, password = ensure_admin()[0].partition(" / ")
    user = User.objects.get()
    assert (user.username, name) == ("admin", "admin")
    assert user.check_password(password)
    assert len(password) >= 16
    assert (user.is_superuser, user.is_approved, user.is_active) == (True, True, True)
    kept = settings.SECRETS_DIR / "admin-password"
    assert kept.read_text().strip() == password
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600

    told, _errors = ensure_admin()
    assert password not in told
    assert str(kept) in told
    assert User.objects.get().check_password(password)


def test_two_installations_do_not_share_a_password() -> None:
    first = ensure_admin()[0]
    User.objects.all().delete()
    assert ensure_admin()[0] != first


def test_a_password_of_ones_own_is_set_and_neither_told_nor_kept(settings: Settings) -> None:
    settings.ADMIN_PASSWORD = "a password of my own"
    told, errors = ensure_admin()
    assert "a password of my own" not in told + errors
    assert "OMIL_ADMIN_PASSWORD" in told
    assert User.objects.get().check_password("a password of my own")
    assert not (settings.SECRETS_DIR / "admin-password").exists()


def test_a_password_set_later_replaces_the_one_that_was_made(settings: Settings) -> None:
    ensure_admin()
    settings.ADMIN_PASSWORD = "a password of my own"
    ensure_admin()
    assert User.objects.get().check_password("a password of my own")
    assert not (settings.SECRETS_DIR / "admin-password").exists()
    # The same one again ends no session.
    proof = User.objects.get().get_session_auth_hash()
    ensure_admin()
    assert User.objects.get().get_session_auth_hash() == proof


def test_a_password_changed_on_the_site_stays_and_the_old_one_is_not_pointed_to(settings: Settings) -> None:
    ensure_admin()
    user = User.objects.get()
    user.set_password("changed on the site")
    user.save()
    told, _errors = ensure_admin()
    assert User.objects.get().check_password("changed on the site")
    assert "the password you gave it" in told


def test_a_weak_password_is_taken_with_a_warning(settings: Settings) -> None:
    settings.ADMIN_PASSWORD = "short"
    _told, errors = ensure_admin()
    assert "OMIL_ADMIN_PASSWORD is weak" in errors
    assert "short" not in errors.replace("too short", "")
    assert User.objects.get().check_password("short")
