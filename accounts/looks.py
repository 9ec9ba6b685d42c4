"""Bases of the logs of who looked at what, and when: only ever added to, and outliving whom and what they name."""

from __future__ import annotations

from typing import Self, TypeVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Unit, Viewer, may_log_in


class Look(models.Model):
    """One entry. A subclass adds `action`, of its own choices, and what was looked at, by number and by name."""

    at = models.DateTimeField(_("time"), default=timezone.now, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", editable=False, verbose_name=_("user")
    )
    user_name = models.CharField(_("user name"), max_length=150, editable=False)
    detail = models.CharField(_("detail"), max_length=200, blank=True, default="", editable=False)

    class Meta:
        abstract = True
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{timezone.localtime(self.at):%Y-%m-%d %H:%M:%S} {self.user_name} {getattr(self, 'action', '')}"


EntryT = TypeVar("EntryT", bound="UnitLook")


class UnitLookQuerySet(models.QuerySet[EntryT]):
    def visible_to(self, user: Viewer) -> Self:
        return self.manageable_by(user)

    def manageable_by(self, user: Viewer) -> Self:
        """Those of a unit that is no more are a superuser's."""
        if may_log_in(user) and user.is_superuser:
            return self.all()
        return self.filter(unit__in=Unit.objects.manageable_by(user))


class UnitLook(Look):
    """One entry about what belongs to a unit, for those who manage it; `objects` is of UnitLookQuerySet."""

    unit = models.ForeignKey(Unit, models.SET_NULL, null=True, related_name="+", editable=False, verbose_name=_("unit"))

    class Meta(Look.Meta):
        abstract = True
