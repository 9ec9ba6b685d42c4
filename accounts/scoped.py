"""Admin pages that show and change only what the user manages; base classes for every app's admin.

Rights come from the model's own doors, never from Django's model permissions.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.options import BaseModelAdmin, InlineModelAdmin
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import Unit, User, Viewer, may_log_in


def manages_anything(user: Viewer) -> bool:
    return may_log_in(user) and user.may_manage


def is_superuser(request: HttpRequest) -> bool:
    return may_log_in(request.user) and request.user.is_superuser


class _OwnChoices(BaseModelAdmin):
    """Offers, and accepts, only the user's own units and people in a form's foreign keys."""

    def formfield_for_foreignkey(
        self, db_field: models.ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        related = db_field.remote_field.model
        if related is Unit:
            kwargs["queryset"] = Unit.objects.manageable_by(request.user)
        elif related is User:
            kwargs["queryset"] = User.objects.visible_to(request.user)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


class ScopedAdmin(_OwnChoices, admin.ModelAdmin):
    """A model's pages, whose default manager offers `manageable_by(user)`."""

    def seen_by(self, user: Viewer) -> models.QuerySet[Any]:
        return self.managed_by(user)

    def managed_by(self, user: Viewer) -> models.QuerySet[Any]:
        manager: Any = self.model._default_manager
        own: models.QuerySet[Any] = manager.manageable_by(user)
        return own

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return super().get_queryset(request).filter(pk__in=self.seen_by(request.user).values("pk"))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return manages_anything(request.user)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return manages_anything(request.user)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return manages_anything(request.user) if obj is None else self._is_in(self.seen_by(request.user), obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return manages_anything(request.user) if obj is None else self._is_in(self.managed_by(request.user), obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)

    @staticmethod
    def _is_in(queryset: models.QuerySet[Any], obj: Any) -> bool:
        return queryset.filter(pk=obj.pk).exists()


class LookOnly(ScopedAdmin):
    """What is written by the product and by nobody else."""

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [field.name for field in self.model._meta.fields]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ScopedInline(_OwnChoices, InlineModelAdmin):
    """Rows on their parent's page: whoever may change the parent may change them."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return manages_anything(request.user)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.admin_site.get_model_admin(self.parent_model).has_change_permission(request, obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)


class ManagedUnitFilter(admin.SimpleListFilter):
    """Filters a list by unit, naming only the units the user manages."""

    title = _("unit")
    parameter_name = "unit"
    path = "unit"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(unit.slug, unit.name) for unit in Unit.objects.manageable_by(request.user)]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        if self.value() is None:
            return queryset
        chosen = Unit.objects.manageable_by(request.user).filter(slug=self.value())
        return queryset.filter(**{f"{self.path}__in": chosen}).distinct()


class MemberUnitFilter(ManagedUnitFilter):
    """The same for people, who come to units by membership."""

    path = "memberships__unit"
