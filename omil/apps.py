"""The composition root as an app, and the admin with Omil's own site."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.contrib import admin
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.admin.checks import check_admin_app, check_dependencies
from django.core import checks


class OmilConfig(AppConfig):
    """Holds what belongs to no single app: commands that run the whole product."""

    name = "omil"
    verbose_name = "Omil"


class OmilAdminConfig(SimpleAdminConfig):
    """Django's admin behind Omil's own log-in page and rights. The addresses load its pages, which only web needs."""

    default_site = "omil.admin.OmilAdminSite"

    def ready(self) -> None:
        checks.register(check_dependencies, checks.Tags.admin)
        checks.register(check_pages, checks.Tags.admin)


def check_pages(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Django's check of the admin, which needs its pages loaded and finds nothing to check otherwise."""
    admin.autodiscover()
    return check_admin_app(app_configs, **kwargs)
