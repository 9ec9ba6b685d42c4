"""The two doors, and what a change of an account does to its sessions."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, transaction

from accounts.models import Membership, Role, Unit, User, Viewer, may_log_in

CAST = ["alice", "bob", "gina", "charlie", "root", "pending", "retired", "anonymous"]


@pytest.fixture
def cast(
    alice: User, bob: User, gina: User, charlie: User, root: User, pending: User, unit_x: Unit
) -> dict[str, Viewer]:
    """Everyone by name; retired was unit admin of X and is inactive, pending has a membership already."""
    retired = User.objects.create_user("retired", is_approved=True, is_active=False)
    Membership.objects.create(user=retired, unit=unit_x, role=Role.UNIT_ADMIN)
    people: list[User] = [alice, bob, gina, charlie, root, pending, retired]
    return {"anonymous": AnonymousUser(), **{user.username: user for user in people}}


@pytest.mark.parametrize(
    ("name", "visible", "watchable", "manageable"),
    [
        ("alice", "X", "X", "X"),  # A unit admin does all in the own unit.
        ("bob", "X", "X", ""),  # An operator watches.
        ("gina", "X", "", ""),  # A guard post only knows its unit.
        ("charlie", "Y", "Y", ""),  # The other unit's operator.
        ("root", "XY", "XY", "XY"),
        ("pending", "", "", ""),  # Not approved.
        ("retired", "", "", ""),  # Not active.
        ("anonymous", "", "", ""),
    ],
)
def test_a_unit_opens_to_its_members_by_their_role(
    cast: dict[str, Viewer], unit_y: Unit, name: str, visible: str, watchable: str, manageable: str
) -> None:
    def letters(units: object) -> str:
        return "".join(sorted(unit.name[-1] for unit in units))  # type: ignore[attr-defined]

    user = cast[name]
    assert letters(Unit.objects.visible_to(user)) == visible
    assert letters(Unit.objects.watchable_by(user)) == watchable
    assert letters(Unit.objects.manageable_by(user)) == manageable
    if isinstance(user, User):
        assert (user.may_watch, user.may_manage) == (bool(watchable), bool(manageable))


@pytest.mark.parametrize(
    ("name", "visible", "manageable"),
    [
        # A unit admin sees members and applicants; only those without rights elsewhere or equal ones are managed.
        ("alice", {"alice", "bob", "gina", "pending", "retired"}, {"bob", "gina", "pending"}),
        ("bob", {"bob"}, set()),
        ("gina", {"gina"}, set()),
        ("charlie", {"charlie"}, set()),
        ("root", {*CAST} - {"anonymous"}, {*CAST} - {"anonymous"}),
        ("pending", set(), set()),
        ("retired", set(), set()),
        ("anonymous", set(), set()),
    ],
)
def test_an_account_opens_to_itself_and_to_its_units_admin(
    cast: dict[str, Viewer], name: str, visible: set[str], manageable: set[str]
) -> None:
    assert {user.username for user in User.objects.visible_to(cast[name])} == visible
    assert {user.username for user in User.objects.manageable_by(cast[name])} == manageable


@pytest.mark.parametrize("elsewhere", ["membership", "superuser", "staff", "admin of X"])
def test_an_account_with_rights_beyond_the_unit_is_not_the_unit_admins_to_change(
    alice: User, bob: User, unit_y: Unit, elsewhere: str
) -> None:
    if elsewhere == "membership":
        Membership.objects.create(user=bob, unit=unit_y, role=Role.GUARD_POST)
    elif elsewhere == "admin of X":
        bob.memberships.update(role=Role.UNIT_ADMIN)
    else:
        User.objects.filter(pk=bob.pk).update(**{f"is_{elsewhere}": True})
    assert bob in User.objects.visible_to(alice)
    assert bob not in User.objects.manageable_by(alice)


def test_an_applicant_placed_in_another_unit_disappears(alice: User, pending: User, unit_y: Unit) -> None:
    assert pending in User.objects.manageable_by(alice)
    Membership.objects.create(user=pending, unit=unit_y)
    assert pending not in User.objects.visible_to(alice)


@pytest.mark.parametrize(
    ("name", "visible", "manageable"),
    [
        ("alice", {"alice", "bob", "gina", "retired"}, {"alice", "bob", "gina", "retired"}),
        ("bob", {"bob"}, set()),
        ("charlie", {"charlie"}, set()),
        ("root", {"alice", "bob", "gina", "charlie", "retired"}, {"alice", "bob", "gina", "charlie", "retired"}),
        ("retired", set(), set()),
        ("anonymous", set(), set()),
    ],
)
def test_a_membership_opens_to_its_user_and_is_changed_by_its_units_admin(
    cast: dict[str, Viewer], name: str, visible: set[str], manageable: set[str]
) -> None:
    assert {row.user.username for row in Membership.objects.visible_to(cast[name])} == visible
    assert {row.user.username for row in Membership.objects.manageable_by(cast[name])} == manageable


def test_a_new_account_waits_and_a_superuser_does_not(root: User) -> None:
    assert not may_log_in(User.objects.create_user("new"))
    assert may_log_in(root)


@pytest.mark.parametrize("field", ["is_active", "is_approved"])
def test_sessions_from_before_an_account_was_shut_stay_dead_after_it_is_opened_again(bob: User, field: str) -> None:
    before = bob.get_session_auth_hash()
    bob.save()
    assert bob.get_session_auth_hash() == before
    setattr(bob, field, False)
    bob.save(update_fields=[field])
    setattr(bob, field, True)
    bob.save(update_fields=[field])
    bob.refresh_from_db()
    assert bob.get_session_auth_hash() != before


def test_two_names_that_differ_only_in_case_cannot_both_exist(bob: User) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create_user("BOB")


def test_a_user_has_one_role_per_unit(bob: User, unit_x: Unit) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.create(user=bob, unit=unit_x, role=Role.GUARD_POST)


def test_the_database_refuses_an_unknown_role(bob: User, unit_y: Unit) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.create(user=bob, unit=unit_y, role="emperor")


def test_units_get_short_names_that_differ(db: None) -> None:
    names = [Unit.objects.create(name=name).slug for name in ["North gate", "North-Gate", "정문", "!!"]]
    assert names == ["north-gate", "north-gate-2", "jeongmun", "unit"]
