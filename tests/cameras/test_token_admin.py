"""Access tokens in the admin: made for oneself, shown once, limited to what one may watch, and ended."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from accounts.models import Membership, Role, User
from cameras import tokens
from cameras.models import Camera, Token

pytestmark = pytest.mark.django_db
LIST, ADD = reverse("admin:cameras_token_changelist"), reverse("admin:cameras_token_add")
DOOR = "/admin/login/"


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def address(token: Token, verb: str = "change") -> str:
    return reverse(f"admin:cameras_token_{verb}", args=[token.pk])


def form(**changes: Any) -> dict[str, Any]:
    return {"name": "Wall", "scope": "watch", "expires_at_0": "", "expires_at_1": "", **changes}


def secrets_in(content: bytes) -> set[str]:
    return set(re.findall(r"omil_[\w-]{43}", content.decode()))


def test_a_token_is_made_for_oneself_and_shown_once(as_alice: Client, alice: User, camera_x: Camera) -> None:
    response = as_alice.post(ADD, form(cameras=[camera_x.pk]))
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    (secret,) = secrets_in(response.content)
    assertContains(response, f"/cameras/gate-x/stream.mjpg?token={secret}")
    token = Token.objects.get()
    assert (token.user, token.name, token.scope, [*token.cameras.all()]) == (alice, "Wall", "watch", [camera_x])
    grant = tokens.find(secret)
    assert grant is not None
    assert grant.camera_ids == frozenset({camera_x.pk})
    for page in (LIST, address(token), address(token, "history")):
        assert secrets_in(as_alice.get(page).content) == set()
    assert secret not in str([*LogEntry.objects.values()])


def test_one_without_cameras_names_the_addresses_of_all_that_its_user_may_watch(
    as_alice: Client, camera_x: Camera, camera_y: Camera
) -> None:
    response = as_alice.post(ADD, form())
    assertContains(response, "/cameras/gate-x/stream.mjpg?token=")
    assertNotContains(response, "gate-y")


def test_only_ones_own_cameras_are_offered_and_taken(as_alice: Client, camera_x: Camera, camera_y: Camera) -> None:
    page = as_alice.get(ADD)
    assertContains(page, "Gate X")
    assertNotContains(page, "Gate Y")
    assertContains(as_alice.post(ADD, form(cameras=[camera_y.pk])), "errorlist")
    assert not Token.objects.exists()


def test_the_form_says_all_that_managing_is(as_alice: Client) -> None:
    page = as_alice.get("/admin/cameras/token/add/").content.decode()
    assert "to upload and delete videos and to change profiles" in page


def test_nobody_makes_a_token_for_somebody_else(as_alice: Client, alice: User, root: User) -> None:
    as_alice.post(ADD, form(user=root.pk))
    assert Token.objects.get().user == alice


def test_one_that_ends_before_it_begins_is_refused(as_alice: Client) -> None:
    response = as_alice.post(ADD, form(expires_at_0="2020-01-01", expires_at_1="00:00:00"))
    assertContains(response, "This time is past.")
    tomorrow = timezone.now() + timedelta(days=1)
    as_alice.post(ADD, form(expires_at_0=f"{tomorrow:%Y-%m-%d}", expires_at_1="12:00:00"))
    assert Token.objects.get().expires_at == tomorrow.replace(hour=12, minute=0, second=0, microsecond=0)


@pytest.mark.parametrize(
    ("name", "status"),
    [("alice", 200), ("root", 200), ("bob", 302), ("gina", 302), ("charlie", 302), ("pending", 302)],
)
def test_tokens_are_for_those_who_manage_something(
    client: Client, alice: User, bob: User, gina: User, charlie: User, root: User, pending: User, name: str, status: int
) -> None:
    client.force_login(User.objects.get(username=name))
    for response in (client.get(LIST), client.get(ADD), client.post(ADD, form())):
        assert response.status_code == status
        if status == 302:
            assert response["Location"].startswith(DOOR)
    assert Token.objects.count() == (status == 200)


def test_an_admin_of_another_unit_sees_and_ends_nothing(client: Client, alice: User, charlie: User, root: User) -> None:
    Membership.objects.filter(user=charlie).update(role=Role.UNIT_ADMIN)
    token, secret = tokens.issue(alice, "Alice's wall")
    client.force_login(charlie)
    assertNotContains(client.get(LIST), "wall")
    assertRedirects(client.get(address(token)), reverse("admin:index"))
    assert client.post(address(token, "revoke")).status_code == 404
    client.post(LIST, {"action": "revoke_chosen", "_selected_action": [token.pk]})
    client.post(LIST, {"action": "delete_selected", "_selected_action": [token.pk], "post": "yes"})
    assert tokens.find(secret) is not None
    client.force_login(root)
    assertContains(client.get(LIST), "Alice&#x27;s wall")
    client.post(address(token, "revoke"))
    assert tokens.find(secret) is None


def test_a_token_is_revoked_by_its_button_and_keeps_its_place_in_the_list(as_alice: Client, alice: User) -> None:
    token, secret = tokens.issue(alice, "Wall")
    assertContains(as_alice.get(address(token)), address(token, "revoke"))
    assert as_alice.get(address(token, "revoke")).status_code == 405
    assertRedirects(as_alice.post(address(token, "revoke")), address(token))
    assert tokens.find(secret) is None
    assertNotContains(as_alice.get(address(token)), address(token, "revoke"))
    assertContains(as_alice.get(LIST), ">revoked<")
    as_alice.post(address(token, "revoke"))
    assert LogEntry.objects.filter(object_id=str(token.pk)).count() == 1


def test_several_are_revoked_from_the_list(as_alice: Client, alice: User) -> None:
    chosen = [tokens.issue(alice, f"Wall {n}")[0].pk for n in range(3)]
    answer = as_alice.post(LIST, {"action": "revoke_chosen", "_selected_action": chosen[:2]}, follow=True)
    assertContains(answer, "2 tokens revoked.")
    assert Token.objects.filter(revoked_at=None).count() == 1


def test_what_a_token_may_do_never_changes(as_alice: Client, alice: User, camera_x: Camera) -> None:
    token, _secret = tokens.issue(alice, "Wall", cameras=[camera_x])
    as_alice.post(address(token), {"name": "Tablet", "scope": "manage", "cameras": [], "expires_at_0": "2099-01-01"})
    token.refresh_from_db()
    assert (token.name, token.scope, token.expires_at, token.cameras.count()) == ("Tablet", "watch", None, 1)


def test_the_list_says_how_each_token_is_and_when_it_was_used(
    as_alice: Client, alice: User, unit_x: Any, django_assert_max_num_queries: Any
) -> None:
    cameras = [Camera.objects.create(name=f"Gate {n}", unit=unit_x) for n in range(5)]
    used = tokens.issue(alice, "Used", cameras=cameras[:2])[1]
    tokens.find(used)
    tokens.issue(alice, "Old", cameras=cameras, expires_at=timezone.now() - timedelta(days=1))
    for n in range(20):
        tokens.issue(alice, f"Wall {n}")
    with django_assert_max_num_queries(14):
        page = as_alice.get(LIST)
    for words in ("Gate 0, Gate 1", "5 cameras", ">expired<", ">valid<", "all that its user may see"):
        assertContains(page, words)


def test_a_deleted_token_ends(as_alice: Client, alice: User) -> None:
    token, secret = tokens.issue(alice, "Wall")
    as_alice.post(address(token, "delete"), {"post": "yes"})
    assert tokens.find(secret) is None
    assert not Token.objects.exists()


def test_it_is_shown_in_korean(as_alice: Client, camera_x: Camera) -> None:
    response = as_alice.post(ADD, form(name="벽 <b>"), headers={"accept-language": "ko"})
    assertContains(response, 'lang="ko"')
    assertContains(response, "벽 &lt;b&gt;")
