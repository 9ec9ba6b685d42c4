"""Who uses Omil: users, the units that own cameras, and the memberships that join them.

`visible_to(user)` and `manageable_by(user)` are the only doors to a row; both are empty for whoever may not log in.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, TypeAlias, TypeGuard

from django.contrib.auth.models import AbstractUser, AnonymousUser
from django.contrib.auth.models import UserManager as DjangoUserManager
from django.db import models
from django.db.models.functions import Lower
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from accounts.slugs import free_slug

Viewer: TypeAlias = "User | AnonymousUser"


class Role(models.TextChoices):
    """What a membership lets its user do in the unit."""

    GUARD_POST = "guard_post", _("Guard post")  # Opens capture pages, sees nothing else.
    OPERATOR = "operator", _("Operator")  # Watches live and afterwards.
    UNIT_ADMIN = "unit_admin", _("Unit admin")  # Manages the unit's cameras and people as well.


WATCHERS = (Role.OPERATOR, Role.UNIT_ADMIN)


def may_log_in(user: Viewer | None) -> TypeGuard[User]:
    """Whether this is an account in use: logged in, active and approved."""
    return isinstance(user, User) and user.is_active and user.is_approved


class UnitQuerySet(models.QuerySet["Unit"]):
    """Units by what a user may do in them."""

    def visible_to(self, user: Viewer) -> UnitQuerySet:
        return self._where_user_is(user, Role)

    def watchable_by(self, user: Viewer) -> UnitQuerySet:
        return self._where_user_is(user, WATCHERS)

    def manageable_by(self, user: Viewer) -> UnitQuerySet:
        return self._where_user_is(user, (Role.UNIT_ADMIN,))

    def _where_user_is(self, user: Viewer, roles: Iterable[Role]) -> UnitQuerySet:
        if not may_log_in(user):
            return self.none()
        if user.is_superuser:
            return self.all()
        return self.filter(pk__in=Membership.objects.filter(user=user, role__in=list(roles)).values("unit"))


class Unit(models.Model):
    """A part of the organisation: it owns cameras, and people are its members."""

    name = models.CharField(_("name"), max_length=80, unique=True)
    slug = models.SlugField(_("short name"), max_length=60, unique=True, editable=False)

    objects = UnitQuerySet.as_manager()

    class Meta:
        verbose_name = _("unit")
        verbose_name_plural = _("units")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self.slug:
            taken = Unit.objects.all()
            self.slug = free_slug(self.name, fallback="unit", is_taken=lambda slug: taken.filter(slug=slug).exists())
        super().save(*args, **kwargs)


class UserQuerySet(models.QuerySet["User"]):
    """Accounts by who may know of them and who may change them."""

    def visible_to(self, user: Viewer) -> UserQuerySet:
        """Oneself; for a unit admin also the unit's members and those who asked to become one."""
        if not may_log_in(user):
            return self.none()
        if user.is_superuser:
            return self.all()
        return self.filter(models.Q(pk=user.pk) | _belongs_to(Unit.objects.manageable_by(user)))

    def manageable_by(self, user: Viewer) -> UserQuerySet:
        """For a unit admin: accounts that are wholly the unit's, for a changed password opens all an account may do."""
        if not may_log_in(user):
            return self.none()
        if user.is_superuser:
            return self.all()
        managed = Unit.objects.manageable_by(user)
        out_of_reach = models.Q(role=Role.UNIT_ADMIN) | ~models.Q(unit__in=managed)
        return self.filter(_belongs_to(managed), is_superuser=False, is_staff=False).exclude(
            pk__in=Membership.objects.filter(out_of_reach).values("user")
        )

    def waiting(self) -> UserQuerySet:
        return self.filter(is_approved=False, is_active=True)


def _belongs_to(units: UnitQuerySet) -> models.Q:
    """The units' members, and whoever asked for one of them and has not been placed anywhere yet."""
    placed = models.Q(pk__in=Membership.objects.values("user"))
    return models.Q(pk__in=Membership.objects.filter(unit__in=units).values("user")) | (
        models.Q(asked_unit__in=units) & ~placed
    )


class UserManager(DjangoUserManager["User"]):
    """Django's manager with the doors of UserQuerySet; a superuser made on the console needs nobody's approval."""

    use_in_migrations = False

    def get_queryset(self) -> UserQuerySet:
        return UserQuerySet(self.model, using=self._db)

    def visible_to(self, user: Viewer) -> UserQuerySet:
        return self.get_queryset().visible_to(user)

    def manageable_by(self, user: Viewer) -> UserQuerySet:
        return self.get_queryset().manageable_by(user)

    def waiting(self) -> UserQuerySet:
        return self.get_queryset().waiting()

    def create_superuser(
        self, username: str, email: str | None = None, password: str | None = None, **extra_fields: Any
    ) -> User:
        return super().create_superuser(username, email, password, **{"is_approved": True, **extra_fields})


class User(AbstractUser):
    """An account. A new one waits for approval; what it may do comes from its memberships."""

    is_approved = models.BooleanField(_("approved"), default=False, help_text=_("Only approved accounts can log in."))
    asked_unit = models.ForeignKey(
        Unit, models.SET_NULL, null=True, blank=True, related_name="applicants", verbose_name=_("asked for unit")
    )
    # Part of every session's proof: raising it ends them all.
    session_epoch = models.PositiveIntegerField(default=0, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        ordering = ["username"]
        constraints = [models.UniqueConstraint(Lower("username"), name="accounts_user_name_once_in_any_case")]

    # Asked many times per page and therefore kept: an instance lives for one request, or one look of a socket.
    @cached_property
    def may_watch(self) -> bool:
        """Whether there is anything for this user on the dashboard."""
        return Unit.objects.watchable_by(self).exists() or (may_log_in(self) and self.is_superuser)

    @cached_property
    def may_manage(self) -> bool:
        """Whether there is anything for this user in the admin."""
        return Unit.objects.manageable_by(self).exists() or (may_log_in(self) and self.is_superuser)

    def get_session_auth_hash(self) -> str:
        return f"{super().get_session_auth_hash()}:{self.session_epoch}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not (self.is_active and self.is_approved):
            # Sessions from before stay dead when the account is let in again.
            self.session_epoch += 1
            if (fields := kwargs.get("update_fields")) is not None:
                kwargs["update_fields"] = {*fields, "session_epoch"}
        super().save(*args, **kwargs)


class MembershipQuerySet(models.QuerySet["Membership"]):
    """Memberships of the units a user manages, or the user's own."""

    def visible_to(self, user: Viewer) -> MembershipQuerySet:
        if not may_log_in(user):
            return self.none()
        return self.filter(models.Q(user=user) | models.Q(unit__in=Unit.objects.manageable_by(user)))

    def manageable_by(self, user: Viewer) -> MembershipQuerySet:
        return self.filter(unit__in=Unit.objects.manageable_by(user))


class Membership(models.Model):
    """Gives a user one role in one unit."""

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships", verbose_name=_("user"))
    unit = models.ForeignKey(Unit, models.CASCADE, related_name="memberships", verbose_name=_("unit"))
    role = models.CharField(_("role"), max_length=20, choices=Role, default=Role.OPERATOR)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        ordering = ["unit__name", "user__username"]
        constraints = [
            models.UniqueConstraint(fields=["user", "unit"], name="accounts_membership_one_role_per_unit"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="accounts_membership_known_role"),
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.unit} · {self.get_role_display()}"
