"""Says whose a socket is, from the session cookie it came with; sockets ask at their start, on a timer and on a notice.

Every call reads the database afresh and only reads, so that a check never ends the session it looks at.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.http import parse_cookie
from django.utils.crypto import constant_time_compare

from accounts.models import User, may_log_in


def cookies_of(scope: Mapping[str, Any]) -> dict[str, str]:
    """The cookies of an ASGI scope, read as Django reads those of a request."""
    header = b"; ".join(value for name, value in scope.get("headers", ()) if name == b"cookie")
    return parse_cookie(header.decode("latin-1"))


def user_of(scope: Mapping[str, Any]) -> User | None:
    """The user whose session this scope's cookie names, if session, password and account still hold.

    Blocks; the caller, in a thread of its own, closes the connection afterwards.
    """
    key = cookies_of(scope).get(settings.SESSION_COOKIE_NAME)
    if not key:
        return None
    session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    if session.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return None
    try:
        user = User.objects.filter(pk=session.get(SESSION_KEY)).first()
    except (TypeError, ValueError):
        return None
    proof = session.get(HASH_SESSION_KEY) or ""
    if not may_log_in(user) or not constant_time_compare(proof, user.get_session_auth_hash()):
        return None
    return user
