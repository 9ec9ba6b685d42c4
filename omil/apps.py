"""The composition root as an app, and the admin with Omil's own site."""

from __future__ import annotations

from django.apps import AppConfig
from django.contrib.admin.apps import SimpleAdminConfig


class OmilConfig(AppConfig):
    """Holds what belongs to no single app: commands that run the whole product."""

    name = "omil"
    verbose_name = "Omil"


class OmilAdminConfig(SimpleAdminConfig):
    """Django's admin behind Omil's own log-in page and rights. The addresses load its pages, which only web needs."""

    default_site = "omil.admin.OmilAdminSite"
