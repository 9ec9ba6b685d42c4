"""Addresses that pictures are pulled from: which are allowed, and how one is shown without its password."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

SCHEMES = ("rtsp", "rtsps", "http", "https")
HIDDEN = "•••"


def validate_source(source: str) -> None:
    """Refuses what is no camera's address, above all files and commands; never repeats what may hold a password."""
    scheme = source.partition(":")[0].lower()
    if scheme not in SCHEMES or not source[len(scheme) :].startswith("://"):
        raise ValidationError(
            _("A camera's address begins with %(schemes)s."),
            code="scheme",
            params={"schemes": ", ".join(f"{name}://" for name in SCHEMES)},
        )
    if re.search(r"[\x00-\x20\x7f\\]", source):
        raise ValidationError(_("A camera's address has no spaces, control characters or backslashes."), code="space")
    try:
        parts = urlsplit(source)
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole:
        raise ValidationError(_("This address names no host, or a port that does not exist."), code="host")


def redacted(source: str) -> str:
    """The address with its password and query, where secrets hide as well, blotted out."""
    if not source:
        return ""
    try:
        parts = urlsplit(source)
    except ValueError:
        return HIDDEN
    user, has_user, host = parts.netloc.rpartition("@")
    if has_user:
        name, has_password, _password = user.partition(":")
        user = f"{name}:{HIDDEN}" if has_password else name
    query = HIDDEN if parts.query else ""
    return SplitResult(parts.scheme, f"{user}{has_user}{host}", parts.path, query, "").geturl()
