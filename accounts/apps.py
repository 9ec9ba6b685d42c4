"""The accounts app: people, units and rights."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig, apps
from django.db.models.signals import post_delete, post_save
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    """Connects every change of an account to its notice.

    Signals, because a membership also goes by cascade and by bulk delete, which no method of the model sees.
    """

    name = "accounts"
    verbose_name = _("Accounts")

    def ready(self) -> None:
        user, membership = self.get_model("User"), self.get_model("Membership")
        post_save.connect(_user_saved, sender=user)
        post_delete.connect(_user_saved, sender=user)
        post_save.connect(_membership_changed, sender=membership)
        post_delete.connect(_membership_changed, sender=membership)
        post_delete.connect(_session_ended, sender=apps.get_model("sessions.Session"))


def _user_saved(instance: Any, created: bool = False, update_fields: Any = None, **kwargs: Any) -> None:
    from accounts.notices import rights_changed

    if not created and set(update_fields or ()) != {"last_login"}:
        rights_changed(user_id=instance.pk)


def _membership_changed(instance: Any, **kwargs: Any) -> None:
    from accounts.notices import rights_changed

    rights_changed(user_id=instance.user_id)


def _session_ended(instance: Any, **kwargs: Any) -> None:
    """Not when the log-out begins, as its own signal does: a socket that looks then still finds the session."""
    from django.contrib.auth import SESSION_KEY

    from accounts.notices import rights_changed

    if (user_id := instance.get_decoded().get(SESSION_KEY)) is not None:
        rights_changed(user_id=int(user_id))
