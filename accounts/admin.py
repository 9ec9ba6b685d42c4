"""People and units in the admin: superusers see all, unit admins what belongs to their units and nothing else."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db import models, transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.models import Membership, Role, Unit, User, Viewer
from accounts.scoped import ManagedUnitFilter, MemberUnitFilter, ScopedAdmin, ScopedInline, is_superuser

# Rights come from memberships alone.
admin.site.unregister(Group)


class MembershipInline(ScopedInline, admin.TabularInline):
    """A user's roles; a unit admin sees those of the own units only."""

    model = Membership
    extra = 0
    fields = ["unit", "role"]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Membership]:
        own = Membership.objects.manageable_by(request.user)
        return super().get_queryset(request).filter(pk__in=own.values("pk"))


@admin.register(User)
class UserAdmin(ScopedAdmin, DjangoUserAdmin):
    """Accounts; a unit admin lets in who asked for the unit and looks after accounts that are wholly the unit's."""

    list_display = ["username", "last_name", "first_name", "asked_for", "is_approved", "is_active", "last_login"]
    list_filter = ["is_approved", "is_active", MemberUnitFilter]
    search_fields = ["username", "last_name", "first_name"]
    ordering = ["is_approved", "username"]
    filter_horizontal = []
    inlines = [MembershipInline]
    actions = ["approve_as_operator", "approve_as_guard_post"]
    readonly_fields = ["asked_for", "last_login", "date_joined"]
    add_fieldsets = ((None, {"fields": ("username", "usable_password", "password1", "password2", "is_approved")}),)

    def seen_by(self, user: Viewer) -> models.QuerySet[User]:
        return User.objects.visible_to(user)

    def managed_by(self, user: Viewer) -> models.QuerySet[User]:
        return User.objects.manageable_by(user)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[User]:
        own_units = Unit.objects.manageable_by(request.user).filter(pk=models.OuterRef("asked_unit"))
        users: models.QuerySet[User] = super().get_queryset(request)
        return users.annotate(asked_name=models.Subquery(own_units.values("name")))

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        if obj is None:
            return self.add_fieldsets
        account: tuple[str, ...] = (
            ("username", "password") if self.has_change_permission(request, obj) else ("username",)
        )
        rights: tuple[str, ...] = ("is_active", "is_approved", "asked_for")
        if is_superuser(request):
            rights += ("is_staff", "is_superuser")
        return (
            (None, {"fields": account}),
            (_("Name"), {"fields": ("last_name", "first_name")}),
            (_("Rights"), {"fields": rights}),
            (_("Dates"), {"fields": ("last_login", "date_joined")}),
        )

    def get_list_display(self, request: HttpRequest) -> Any:
        return [*self.list_display, *(["is_superuser"] if is_superuser(request) else [])]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        return [*self.readonly_fields, *([] if is_superuser(request) else ["username"])]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """A unit admin turns requests down; an account that was in use is switched off, for its log entries stay."""
        if obj is None or is_superuser(request):
            return self.has_change_permission(request, obj)
        never_used = not obj.is_approved and obj.last_login is None and not obj.memberships.exists()
        return never_used and self.has_change_permission(request, obj)

    def get_changeform_initial_data(self, request: HttpRequest) -> Any:
        return {"is_approved": True, **super().get_changeform_initial_data(request)}

    @admin.display(description=_("asked for unit"), ordering="asked_name")
    def asked_for(self, user: Any) -> str:
        return user.asked_name or self.get_empty_value_display()

    @admin.action(description=_("Approve as operator of the unit asked for"), permissions=["change"])
    def approve_as_operator(self, request: HttpRequest, queryset: models.QuerySet[User]) -> None:
        self._approve(request, queryset, Role.OPERATOR)

    @admin.action(description=_("Approve as guard post of the unit asked for"), permissions=["change"])
    def approve_as_guard_post(self, request: HttpRequest, queryset: models.QuerySet[User]) -> None:
        self._approve(request, queryset, Role.GUARD_POST)

    def _approve(self, request: HttpRequest, queryset: models.QuerySet[User], role: Role) -> None:
        own_units = Unit.objects.manageable_by(request.user)
        asked = queryset.filter(
            pk__in=self.managed_by(request.user).values("pk"), is_approved=False, asked_unit__in=own_units
        )
        approved = 0
        for user in asked.select_related("asked_unit"):
            assert user.asked_unit is not None
            with transaction.atomic():
                Membership.objects.get_or_create(user=user, unit=user.asked_unit, defaults={"role": role})
                user.is_approved = True
                user.save(update_fields=["is_approved"])
                self.log_change(request, user, f"Approved as {role.value} of {user.asked_unit.name}.")
            approved += 1
        left_out = queryset.count() - approved
        self.message_user(request, ngettext("%d account approved.", "%d accounts approved.", approved) % approved)
        if left_out:
            text = ngettext(
                "%d account left as it is: it asked for no unit of yours, or is approved already.",
                "%d accounts left as they are: they asked for no unit of yours, or are approved already.",
                left_out,
            )
            self.message_user(request, text % left_out, messages.WARNING)


@admin.register(Unit)
class UnitAdmin(ScopedAdmin):
    """Units; only a superuser makes and removes them."""

    list_display = ["name", "slug", "members"]
    ordering = ["name"]
    search_fields = ["name"]
    readonly_fields = ["slug"]
    fields = ["name", "slug"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Unit | None = None) -> bool:
        return is_superuser(request)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Unit]:
        units: models.QuerySet[Unit] = super().get_queryset(request)
        return units.annotate(member_count=models.Count("memberships"))

    @admin.display(description=_("members"), ordering="member_count")
    def members(self, unit: Any) -> int:
        return int(unit.member_count)


@admin.register(Membership)
class MembershipAdmin(ScopedAdmin):
    """Who does what in which unit; for a change of person or unit a new one is made."""

    list_display = ["user", "unit", "role"]
    list_filter = ["role", ManagedUnitFilter]
    search_fields = ["user__username", "user__last_name", "user__first_name"]
    list_select_related = ["user", "unit"]
    autocomplete_fields = ["user", "unit"]

    def get_readonly_fields(self, request: HttpRequest, obj: Membership | None = None) -> Any:
        return ["user", "unit"] if obj else []
