"""Addresses that pictures are pulled from: which are allowed, and how one is shown without its password."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

SCHEMES = ("rtsp", "rtsps", "http", "https")
LOCAL_SCHEMES = ("file", "device")
HIDDEN = "•••"
# Some cameras want their password in the path, as in /user=admin_password=secret_channel=1.
IN_THE_PATH = re.compile(r"((?:password|passwd|pwd|pass|secret|token|key)=)[^&;/_]*", re.IGNORECASE)
OPTIONS = r"(\?[a-z0-9_=&.-]*)?"


def validate_source(source: str) -> None:
    """Refuses what is no camera's address, above all commands and any file; never repeats what may hold a password."""
    scheme, _colon, rest = source.partition(":")
    scheme = scheme.lower()
    if scheme in LOCAL_SCHEMES:
        _validate_local(scheme, rest)
        return
    if scheme not in SCHEMES or not rest.startswith("//"):
        raise ValidationError(
            _("A camera's address begins with %(schemes)s."),
            code="scheme",
            params={
                "schemes": ", ".join([*(f"{name}://" for name in SCHEMES), *(f"{name}:" for name in LOCAL_SCHEMES)])
            },
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
    if "#" in source:
        raise ValidationError(_("A camera's address has no part after “#”."), code="fragment")
    if parts.path.lower().endswith(".m3u8"):
        raise ValidationError(_("HLS cannot be read yet: give the camera's RTSP or MJPEG address."), code="hls")


def _validate_local(scheme: str, rest: str) -> None:
    """`file:` names a file below one folder, `device:` a camera of this machine by its number."""
    if scheme == "device":
        if not re.fullmatch(r"\d{1,3}" + OPTIONS, rest):
            raise ValidationError(_("A device is given by its number, such as device:0."), code="device")
        return
    path = re.sub(OPTIONS + "$", "", rest, count=1)
    is_inside = bool(path) and not path.startswith("/") and ".." not in path.split("/")
    if not is_inside or re.search(r"[\x00-\x1f\x7f\\?]", path):
        raise ValidationError(
            _("A file is given by its name below the folder for such files, as in file:gate.mp4."), code="file"
        )


def redacted(source: str) -> str:
    """The address with its password and query, where secrets hide as well, blotted out."""
    if not source or source.partition(":")[0].lower() in LOCAL_SCHEMES:
        return source
    try:
        parts = urlsplit(source)
    except ValueError:
        return HIDDEN
    user, has_user, host = parts.netloc.rpartition("@")
    if has_user:
        name, has_password, _password = user.partition(":")
        user = f"{name}:{HIDDEN}" if has_password else name
    query = HIDDEN if parts.query else ""
    path = IN_THE_PATH.sub(rf"\1{HIDDEN}", parts.path)
    return SplitResult(parts.scheme, f"{user}{has_user}{host}", path, query, "").geturl()
