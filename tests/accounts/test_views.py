"""Logging in and out, asking for an account, changing a password, as a browser sees it."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from pytest_django import Settings
from pytest_django.asserts import assertContains, assertRedirects

from accounts.models import Role, Unit, User
from cameras.models import Camera

LOG_IN, SIGN_UP, PENDING, PASSWORD = (
    reverse(name) for name in ["accounts:log-in", "accounts:sign-up", "accounts:pending", "accounts:password-change"]
)
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_log_ins")]


def log_in(client: Client, name: str, password: str, **query: str) -> Any:
    return client.post(LOG_IN, {"username": name, "password": password}, query_params=query)


def is_logged_in(client: Client) -> bool:
    return client.get(PASSWORD).status_code == 200


@pytest.mark.parametrize(
    ("name", "home"),
    [
        ("alice", "detections:dashboard"),
        ("bob", "detections:dashboard"),
        ("root", "detections:dashboard"),
        ("gina", "cameras:capture-list"),  # A guard post has nothing on the dashboard.
    ],
)
def test_everyone_lands_where_they_belong(
    client: Client, alice: User, bob: User, gina: User, root: User, password: str, name: str, home: str
) -> None:
    assertRedirects(log_in(client, name, password), reverse(home), fetch_redirect_response=False)
    assert is_logged_in(client)
    # Whoever is logged in already is taken there as well.
    assertRedirects(client.get(LOG_IN), reverse(home), fetch_redirect_response=False)


@pytest.mark.parametrize(
    ("target", "followed"),
    [
        ("/capture/", True),
        ("/visits/?unit=x", True),
        ("https://elsewhere.example/", False),
        ("//elsewhere.example/", False),
        ("javascript:alert(1)", False),
        ("/\\elsewhere.example", False),
    ],
)
def test_log_in_goes_on_only_within_the_site(
    client: Client, bob: User, password: str, target: str, followed: bool
) -> None:
    response = log_in(client, "bob", password, next=target)
    expected = target if followed else reverse("detections:dashboard")
    assertRedirects(response, expected, fetch_redirect_response=False)


def test_log_in_starts_a_session_of_its_own(client: Client, bob: User, password: str, settings: Settings) -> None:
    session = client.session
    session["planted"] = "by whoever knew the key"
    session.save()
    planted_key = session.session_key
    log_in(client, "bob", password)
    assert client.session.session_key != planted_key
    assert not Session.objects.filter(session_key=planted_key).exists()
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")


def test_wrong_passwords_and_unknown_and_inactive_accounts_get_the_same_answer(
    client: Client, bob: User, gina: User, password: str
) -> None:
    User.objects.filter(pk=gina.pk).update(is_active=False)
    answers = []
    for name, tried in [("bob", "wrong"), ("nobody", "wrong"), ("gina", password)]:
        response = log_in(client, name, tried)
        assert response.status_code == 200
        answers.append(str(response.context["form"].non_field_errors()))
    assert answers[0] == answers[1] == answers[2] != ""
    assert not is_logged_in(client)


def test_an_account_that_waits_is_told_so_and_gets_no_session(client: Client, pending: User, password: str) -> None:
    assertRedirects(log_in(client, "pending", password), PENDING)
    assert not is_logged_in(client)
    # Who does not know the password does not learn that it waits.
    assertContains(log_in(client, "pending", "wrong"), "errorlist")


def test_even_a_forced_session_of_an_account_that_waits_is_worth_nothing(client: Client, pending: User) -> None:
    client.force_login(pending)
    assert not is_logged_in(client)


def test_the_sixth_attempt_is_shut_out_even_with_the_right_password(
    client: Client, bob: User, charlie: User, password: str, settings: Settings
) -> None:
    statuses = [log_in(client, "bob", f"wrong {n}").status_code for n in range(5)]
    assert statuses == [200, 200, 200, 200, 429]
    response = log_in(client, "bob", password)
    assert response.status_code == 429
    assertContains(response, "Too many attempts", status_code=429)
    assert not is_logged_in(client)
    # Another account from the same address, and the same account from another one, are not shut out.
    assert log_in(client, "charlie", password).status_code == 302
    assert log_in(Client(REMOTE_ADDR="10.1.2.3"), "bob", password).status_code == 302


def test_spelling_a_name_differently_does_not_go_round_the_limit(client: Client, bob: User, password: str) -> None:
    for n in range(5):
        log_in(client, "bob" if n % 2 else " bob ", "wrong")
    assert log_in(client, "\uff42ob", password).status_code == 429


def test_a_right_password_forgets_the_wrong_ones(client: Client, bob: User, password: str) -> None:
    for _ in range(2):
        for _ in range(4):
            log_in(client, "bob", "wrong")
        assert log_in(client, "bob", password).status_code == 302
        client.logout()


def test_passwords_are_neither_logged_nor_stored(client: Client, bob: User, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for _ in range(6):
        log_in(client, "bob", "hunter2hunter2", next="/visits/")
    client.post(SIGN_UP, {"username": "bob", "password1": "hunter2hunter2", "password2": "other"})
    assert "hunter2" not in caplog.text
    assert "hunter2" not in str(list(AccessAttempt.objects.values()))


def test_logging_out_needs_a_post_and_ends_the_session(client: Client, bob: User) -> None:
    client.force_login(bob)
    assert client.get(reverse("accounts:log-out")).status_code == 405
    assertRedirects(client.post(reverse("accounts:log-out")), LOG_IN)
    assert not is_logged_in(client)
    assert not Session.objects.exists()


@pytest.mark.parametrize("address", [LOG_IN, SIGN_UP, PASSWORD, reverse("accounts:log-out")])
def test_forms_of_other_sites_are_refused(bob: User, address: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(bob)
    assert client.post(address, {}).status_code == 403


@pytest.mark.parametrize("change", [{"is_active": False}, {"is_approved": False}])
def test_a_session_ends_when_its_account_is_shut_and_stays_ended(
    client: Client, bob: User, change: dict[str, bool]
) -> None:
    client.force_login(bob)
    assert is_logged_in(client)
    for field, value in change.items():
        setattr(bob, field, value)
    bob.save()
    assert not is_logged_in(client)
    for field, value in change.items():
        setattr(bob, field, not value)
    bob.save()
    assert not is_logged_in(client)


def test_changing_the_password_keeps_this_session_and_ends_the_others(client: Client, bob: User, password: str) -> None:
    other = Client()
    for browser in (client, other):
        browser.force_login(bob)
        assert is_logged_in(browser)
    fresh = "an even better horse"
    form = {"old_password": password, "new_password1": fresh, "new_password2": fresh}
    response = client.post(PASSWORD, form, follow=True)
    assertContains(response, "Your password has been changed")
    assert is_logged_in(client)
    assert not is_logged_in(other)
    assert log_in(Client(), "bob", password).status_code == 200
    assert log_in(Client(), "bob", fresh).status_code == 302


def test_changing_the_password_needs_the_old_one_and_a_good_new_one(client: Client, bob: User, password: str) -> None:
    client.force_login(bob)
    for old, new in [("wrong", "an even better horse"), (password, "short"), (password, "password123456")]:
        form = {"old_password": old, "new_password1": new, "new_password2": new}
        assert client.post(PASSWORD, form).status_code == 200
    bob.refresh_from_db()
    assert bob.check_password(password)


def test_whoever_is_not_logged_in_has_no_password_to_change(client: Client) -> None:
    assertRedirects(client.get(PASSWORD), f"{LOG_IN}?next={PASSWORD}")


def ask(client: Client, name: str, **fields: object) -> Any:
    password = "a horse of my own"
    return client.post(SIGN_UP, {"username": name, "password1": password, "password2": password, **fields})


def test_a_sign_up_makes_an_account_that_waits_and_has_no_rights(client: Client, unit_x: Unit) -> None:
    forged = {"is_superuser": "on", "is_staff": "on", "is_approved": "on", "memberships-0-role": Role.UNIT_ADMIN}
    assertRedirects(ask(client, "newcomer", asked_unit=unit_x.pk, **forged), PENDING)
    user = User.objects.get(username="newcomer")
    assert (user.asked_unit, user.is_approved, user.is_superuser, user.is_staff) == (unit_x, False, False, False)
    assert not user.memberships.exists()
    assert user.check_password("a horse of my own")
    assert not is_logged_in(client)


@pytest.mark.parametrize("name", ["bob", "BOB"])
def test_a_taken_name_gets_the_answer_of_a_free_one_and_changes_nothing(
    client: Client, bob: User, password: str, name: str
) -> None:
    assertRedirects(ask(client, name), PENDING)
    assert User.objects.count() == 1
    bob.refresh_from_db()
    assert bob.check_password(password)
    assert bob.is_approved


@pytest.mark.parametrize(
    "fields",
    [
        {"password1": "x", "password2": "x"},  # Too weak.
        {"password2": "something else"},
        {"username": "two words"},
        {"asked_unit": "999999"},
    ],
)
def test_a_bad_request_for_an_account_is_shown_again(client: Client, fields: dict[str, str]) -> None:
    response = ask(client, fields.pop("username", "newcomer"), **fields)
    assertContains(response, "errorlist")
    assert not User.objects.exists()


def test_requests_for_accounts_are_bounded(client: Client, settings: Settings) -> None:
    settings.MAX_SIGN_UPS = 2
    for n in range(2):
        assertRedirects(ask(client, f"newcomer{n}"), PENDING)
    assert ask(client, "newcomer2").status_code == 503
    assert client.get(SIGN_UP).status_code == 503
    assert User.objects.count() == 2


def test_whoever_has_an_account_does_not_ask_for_one(client: Client, bob: User) -> None:
    client.force_login(bob)
    assertRedirects(client.get(SIGN_UP), reverse("detections:dashboard"), fetch_redirect_response=False)


def test_pages_with_forms_are_not_kept_by_the_browser(client: Client, bob: User, camera_x: Camera) -> None:
    for address in [LOG_IN, SIGN_UP]:
        assert "no-store" in client.get(address)["Cache-Control"]
    client.force_login(bob)
    assert "no-store" in client.get(PASSWORD)["Cache-Control"]
