"""What each role finds in the admin, and what a forged form can not do there."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import reverse
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from accounts.models import Membership, Role, Unit, User
from cameras.models import Camera

pytestmark = pytest.mark.django_db
USERS = reverse("admin:accounts_user_changelist")
MEMBERSHIPS = reverse("admin:accounts_membership_changelist")
UNITS = reverse("admin:accounts_unit_changelist")


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture
def as_root(client: Client, root: User) -> Client:
    client.force_login(root)
    return client


def change(user: User | Unit | Membership, verb: str = "change") -> str:
    return reverse(f"admin:accounts_{user._meta.model_name}_{verb}", args=[user.pk])


def no_inlines(**fields: Any) -> dict[str, Any]:
    counts = {f"{prefix}-{count}_FORMS": 0 for prefix in ("memberships", "faces") for count in ("TOTAL", "INITIAL")}
    return {**counts, **fields}


@pytest.mark.parametrize(
    ("name", "index_status"),
    [("root", 200), ("alice", 200), ("bob", 404), ("gina", 404), ("charlie", 404), ("anonymous", 302)],
)
def test_the_admin_opens_to_superusers_and_unit_admins(
    client: Client, root: User, alice: User, bob: User, gina: User, charlie: User, name: str, index_status: int
) -> None:
    if name != "anonymous":
        client.force_login(User.objects.get(username=name))
    response = client.get(reverse("admin:index"), follow=name != "anonymous")
    assert response.status_code == index_status


def test_whoever_is_not_logged_in_goes_to_the_one_log_in_page(client: Client, db: None) -> None:
    response = client.get(USERS, follow=True)
    assert response.redirect_chain[-1][0] == f"{reverse('accounts:log-in')}?next={USERS}"
    elsewhere = client.get(reverse("admin:login"), query_params={"next": "https://elsewhere.example/"})
    assertRedirects(elsewhere, f"{reverse('accounts:log-in')}?next={reverse('admin:index')}")
    assert client.post(reverse("admin:login"), {"username": "root", "password": "x"}).status_code == 302


def test_the_admin_logs_out_by_post_only(as_alice: Client) -> None:
    assert as_alice.get(reverse("admin:logout")).status_code == 405
    assertRedirects(as_alice.post(reverse("admin:logout")), reverse("accounts:log-in"))
    assert as_alice.get(reverse("admin:index")).status_code == 302


def test_staff_without_a_unit_find_an_empty_admin(client: Client, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    client.force_login(bob)
    assert client.get(reverse("admin:index")).status_code == 200
    assert client.get(USERS).status_code == 403


def test_a_unit_admin_sees_the_units_people_and_nobody_else(
    as_alice: Client, bob: User, gina: User, charlie: User, pending: User, root: User
) -> None:
    response = as_alice.get(USERS)
    names = {user.username for user in response.context["cl"].result_list}
    assert names == {"alice", "bob", "gina", "pending"}
    assertNotContains(response, "charlie")
    assertNotContains(as_alice.get(USERS, {"q": "charlie"}), "charlie@")
    for stranger in (charlie, root):
        for verb in ("change", "history", "delete"):
            assertRedirects(as_alice.get(change(stranger, verb)), reverse("admin:index"))


def test_filters_and_choices_name_no_other_unit(as_alice: Client, bob: User, charlie: User, unit_y: Unit) -> None:
    Membership.objects.create(user=bob, unit=unit_y, role=Role.OPERATOR)
    User.objects.filter(pk=bob.pk).update(asked_unit=unit_y)
    for address in [USERS, MEMBERSHIPS, UNITS, change(bob), reverse("admin:accounts_membership_add")]:
        assertNotContains(as_alice.get(address), "Unit Y")
    assert as_alice.get(USERS, {"unit": unit_y.slug}).context["cl"].result_count == 0


@pytest.mark.parametrize(
    "lookup",
    ["password__startswith", "memberships__unit__name", "memberships__unit__memberships__user__password"],
)
def test_nothing_is_found_out_by_filtering(as_alice: Client, bob: User, lookup: str) -> None:
    response = as_alice.get(USERS, {lookup: "x"})
    assert response.status_code == 400


@pytest.mark.parametrize(("model", "field"), [("membership", "user"), ("membership", "unit")])
def test_completion_offers_only_what_is_ones_own(
    as_alice: Client, bob: User, charlie: User, unit_y: Unit, model: str, field: str
) -> None:
    query = {"app_label": "accounts", "model_name": model, "field_name": field, "term": ""}
    found = {row["text"] for row in as_alice.get(reverse("admin:autocomplete"), query).json()["results"]}
    assert found == ({"alice", "bob"} if field == "user" else {"Unit X"})


def test_a_unit_admin_cannot_make_accounts_or_units(as_alice: Client) -> None:
    for name in ("user", "unit"):
        assert as_alice.get(reverse(f"admin:accounts_{name}_add")).status_code == 403
        assert as_alice.post(reverse(f"admin:accounts_{name}_add"), {"name": "mine"}).status_code == 403


def test_rights_beyond_the_unit_cannot_be_forged(as_alice: Client, bob: User, unit_y: Unit) -> None:
    forged = no_inlines(
        username="robert",
        last_name="Builder",
        is_active="on",
        is_approved="on",
        is_superuser="on",
        is_staff="on",
        session_epoch="9",
        asked_unit=unit_y.pk,
        user_permissions="1",
    )
    assertRedirects(as_alice.post(change(bob), forged), USERS)
    bob.refresh_from_db()
    assert bob.last_name == "Builder"
    assert (bob.username, bob.is_superuser, bob.is_staff, bob.asked_unit) == ("bob", False, False, None)
    assert not bob.user_permissions.exists()


@pytest.mark.parametrize("whom", ["charlie", "root", "alice"])
def test_accounts_that_are_not_the_units_alone_cannot_be_changed(
    as_alice: Client, alice: User, charlie: User, root: User, password: str, whom: str
) -> None:
    user = User.objects.get(username=whom)
    if whom == "root":  # Even when it is seen, for it is a member.
        Membership.objects.create(user=root, unit=alice.memberships.get().unit)
    fresh = {"password1": "taken over by alice", "password2": "taken over by alice", "usable_password": "true"}
    for address, form in [
        (change(user), no_inlines(last_name="Mine")),
        (reverse("admin:auth_user_password_change", args=[user.pk]), fresh),
        (change(user, "delete"), {"post": "yes"}),
    ]:
        assert as_alice.post(address, form).status_code in {302, 403, 404}
    before = user.last_name
    user.refresh_from_db()
    assert (user.last_name, user.check_password(password)) == (before, True)


def test_a_unit_admin_resets_the_password_of_the_units_own_people(as_alice: Client, bob: User) -> None:
    address = reverse("admin:auth_user_password_change", args=[bob.pk])
    fresh = {"password1": "a new horse for bob", "password2": "a new horse for bob", "usable_password": "true"}
    assert as_alice.post(address, fresh).status_code == 302
    bob.refresh_from_db()
    assert bob.check_password("a new horse for bob")
    assert LogEntry.objects.filter(object_id=str(bob.pk)).exists()


def test_a_membership_can_only_join_ones_own_people_to_ones_own_units(
    as_alice: Client, alice: User, bob: User, gina: User, charlie: User, unit_x: Unit, unit_y: Unit
) -> None:
    add = reverse("admin:accounts_membership_add")
    for user, unit in [(bob, unit_y), (charlie, unit_x), (alice, unit_y)]:
        form = {"user": user.pk, "unit": unit.pk, "role": Role.UNIT_ADMIN}
        assertContains(as_alice.post(add, form), "errorlist")
    inline = no_inlines(is_active="on", is_approved="on") | {
        "memberships-TOTAL_FORMS": 1,
        "memberships-0-unit": unit_y.pk,
        "memberships-0-role": Role.UNIT_ADMIN,
    }
    assertContains(as_alice.post(change(bob), inline), "errorlist")
    assert Membership.objects.filter(unit=unit_y).count() == 1
    assert not Membership.objects.filter(user=charlie, unit=unit_x).exists()


def test_a_unit_admin_gives_and_takes_roles_in_the_own_unit(as_alice: Client, bob: User, unit_y: Unit) -> None:
    membership = bob.memberships.get()
    # Person and unit stay what they are, whatever the form says.
    form = {"role": Role.GUARD_POST, "unit": unit_y.pk, "user": 1}
    assertRedirects(as_alice.post(change(membership), form), MEMBERSHIPS)
    membership.refresh_from_db()
    assert (membership.role, membership.user, membership.unit.name) == (Role.GUARD_POST, bob, "Unit X")
    assertRedirects(as_alice.post(change(membership, "delete"), {"post": "yes"}), MEMBERSHIPS)
    assert not bob.memberships.exists()


def test_memberships_elsewhere_are_out_of_reach(as_alice: Client, bob: User, charlie: User, unit_y: Unit) -> None:
    elsewhere = Membership.objects.create(user=bob, unit=unit_y, role=Role.OPERATOR)
    for membership in (elsewhere, charlie.memberships.get()):
        as_alice.post(change(membership), {"role": Role.UNIT_ADMIN})
        as_alice.post(change(membership, "delete"), {"post": "yes"})
        bulk = {"action": "delete_selected", "_selected_action": membership.pk, "post": "yes"}
        as_alice.post(MEMBERSHIPS, bulk)
        membership.refresh_from_db()
        assert membership.role == Role.OPERATOR


@pytest.mark.parametrize(("action", "role"), [("operator", Role.OPERATOR), ("guard_post", Role.GUARD_POST)])
def test_a_unit_admin_approves_who_asked_for_the_unit(
    as_alice: Client, alice: User, pending: User, unit_x: Unit, action: str, role: Role
) -> None:
    form = {"action": f"approve_as_{action}", "_selected_action": pending.pk}
    assertContains(as_alice.post(USERS, form, follow=True), "1 account approved.")
    pending.refresh_from_db()
    assert pending.is_approved
    assert pending.memberships.get().role == role
    assert pending.memberships.get().unit == unit_x
    entry = LogEntry.objects.get(object_id=str(pending.pk))
    assert (entry.user, entry.get_change_message()) == (alice, f"Approved as {role} of Unit X.")


def test_nobody_is_approved_who_asked_for_another_unit_or_none(
    as_alice: Client, bob: User, pending: User, unit_y: Unit
) -> None:
    nowhere = User.objects.create_user("nowhere")
    elsewhere = User.objects.create_user("elsewhere", asked_unit=unit_y)
    chosen = [user.pk for user in (nowhere, elsewhere, bob)]
    form = {"action": "approve_as_operator", "_selected_action": chosen}
    as_alice.post(USERS, form, follow=True)
    assert not User.objects.filter(pk__in=[nowhere.pk, elsewhere.pk], is_approved=True).exists()
    assert not Membership.objects.filter(user__in=[nowhere, elsewhere]).exists()
    assert bob.memberships.get().role == Role.OPERATOR


def test_a_unit_admin_turns_requests_down_but_deletes_no_account_that_was_in_use(
    as_alice: Client, bob: User, pending: User
) -> None:
    assert as_alice.post(change(bob, "delete"), {"post": "yes"}).status_code == 403
    bulk = {"action": "delete_selected", "_selected_action": bob.pk, "post": "yes"}
    as_alice.post(USERS, bulk)
    assert User.objects.filter(pk=bob.pk).exists()
    assertRedirects(as_alice.post(change(pending, "delete"), {"post": "yes"}), USERS)
    assert not User.objects.filter(pk=pending.pk).exists()


def test_a_unit_admin_renames_the_own_unit_only(as_alice: Client, unit_x: Unit, unit_y: Unit) -> None:
    assertRedirects(as_alice.post(change(unit_x), no_inlines(name="North")), UNITS)
    assertRedirects(as_alice.post(change(unit_y), no_inlines(name="Mine")), reverse("admin:index"))
    assert as_alice.post(change(unit_x, "delete"), {"post": "yes"}).status_code == 403
    assert set(Unit.objects.values_list("name", flat=True)) == {"North", "Unit Y"}


def test_a_superuser_sees_and_changes_everything(
    as_root: Client, alice: User, charlie: User, unit_x: Unit, unit_y: Unit, camera_x: Camera
) -> None:
    assert as_root.get(USERS).context["cl"].result_count == 3
    password = "a horse of their own"
    form = {"username": "made", "password1": password, "password2": password, "usable_password": "true"}
    made = as_root.post(reverse("admin:accounts_user_add"), no_inlines(**form, is_approved="on"))
    user = User.objects.get(username="made")
    assertRedirects(made, change(user))
    assert user.is_approved
    for address in [change(user), change(unit_x), change(alice.memberships.get()), change(charlie, "history")]:
        assert as_root.get(address).status_code == 200
    # A unit with cameras stays.
    as_root.post(change(unit_x, "delete"), {"post": "yes"})
    assert Unit.objects.filter(pk=unit_x.pk).exists()
    assertRedirects(as_root.post(change(unit_y, "delete"), {"post": "yes"}), UNITS)


def test_every_account_page_of_the_admin_opens_to_a_unit_admin(as_alice: Client, bob: User, pending: User) -> None:
    own = bob.memberships.get()
    pages = [reverse("admin:index"), reverse("admin:app_list", args=["accounts"]), USERS, UNITS, MEMBERSHIPS]
    pages += [change(row, verb) for row in (bob, own, own.unit) for verb in ("change", "history")]
    pages += [change(pending, "delete"), change(own, "delete"), reverse("admin:accounts_membership_add")]
    for page in pages:
        assert as_alice.get(page).status_code == 200, page


def test_there_is_no_way_round_the_rights_by_content_type(as_alice: Client, camera_y: Camera) -> None:
    kind = ContentType.objects.get_for_model(Camera)
    assert as_alice.get(f"/admin/r/{kind.pk}/{camera_y.pk}/").status_code == 404
