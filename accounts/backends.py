"""Turns a name and password, or a session, into a user; a session holds only while its account is in use."""

from __future__ import annotations

from django.contrib.auth.backends import ModelBackend

from accounts.models import User, may_log_in


class AccountBackend(ModelBackend):
    """Knows the password of accounts that wait, so that the log-in page can say so, but takes no session of theirs."""

    def get_user(self, user_id: int) -> User | None:
        user = super().get_user(user_id)
        return user if may_log_in(user) else None
