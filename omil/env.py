"""Typed readers for environment variables; settings.py is their only caller.

Each reader raises ImproperlyConfigured naming the variable, what was expected and what was found.
"""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.exceptions import ImproperlyConfigured

from cameras.addresses import parse_allowed

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off", ""}


# Every name that a setting has been read from, and those that only tests, benchmarks and the set-up read.
_asked = {"OMIL_TEST_DATA", "OMIL_REQUIRE_DATA", "OMIL_TORCH_INDEX"}


def text(name: str, default: str = "") -> str:
    _asked.add(name)
    return os.environ.get(name, "").strip() or default


def misspelt() -> list[str]:
    """A sentence for each OMIL_ variable of the environment that no setting is read from."""
    said = []
    for name in sorted(set(os.environ) - _asked):
        if name.startswith("OMIL_"):
            meant = get_close_matches(name, sorted(_asked), n=1)
            said.append(f"{name} is no setting and does nothing." + (f" Is {meant[0]} meant?" if meant else ""))
    return said


def words(name: str) -> list[str]:
    """A comma-separated list; empty items are left out."""
    return [word for word in (part.strip() for part in text(name).split(",")) if word]


def hosts(name: str) -> list[str]:
    """A comma-separated list of hosts, addresses and networks."""
    found = words(name)
    try:
        parse_allowed(found)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}.") from None
    return found


def choice(name: str, default: str, allowed: set[str]) -> str:
    value = text(name, default)
    if value not in allowed:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(sorted(allowed))}, not {value!r}.")
    return value


def zone(name: str) -> ZoneInfo:
    """A time zone by its name in the IANA database; the machine's own where the variable is unset."""
    raw = text(name)
    if not raw:
        return _zone_of_machine()
    try:
        return ZoneInfo(raw)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ImproperlyConfigured(f"{name} must be a time zone such as Asia/Seoul or UTC, not {raw!r}.") from None


def _zone_of_machine() -> ZoneInfo:
    try:
        with Path("/etc/localtime").open("rb") as file:
            return ZoneInfo.from_file(file)
    except (OSError, ValueError):
        return ZoneInfo("UTC")


def flag(name: str, *, default: bool) -> bool:
    raw = os.environ.get(name)
    if raw is None:
        return default
    value = raw.strip().lower()
    if value in TRUE:
        return True
    if value in FALSE:
        return False
    raise ImproperlyConfigured(f"{name} must be one of 1, true, yes, on, 0, false, no or off, not {raw!r}.")


def integer(name: str, default: int, *, least: int, most: int) -> int:
    raw = text(name, str(default))
    try:
        value = int(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {raw!r}.") from None
    if not least <= value <= most:
        raise ImproperlyConfigured(f"{name} must be from {least} to {most}, not {value}.")
    return value


def optional_integer(name: str, *, least: int, most: int) -> int | None:
    return integer(name, least, least=least, most=most) if text(name) else None


def seconds(name: str, default: float, *, least: float = 0.0, most: float = 86_400.0) -> float:
    return number(name, default, least=least, most=most)


def number(name: str, default: float, *, least: float, most: float) -> float:
    raw = text(name, str(default))
    try:
        value = float(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a number, not {raw!r}.") from None
    if not least <= value <= most:  # A NaN fails this comparison too.
        raise ImproperlyConfigured(f"{name} must be from {least:g} to {most:g}, not {raw}.")
    return value


def regions(name: str) -> tuple[tuple[float, float, float, float], ...]:
    """Parts of a picture as left,top,right,bottom, from 0 to 1; semicolons between several."""
    found = []
    for part in filter(None, (part.strip() for part in text(name).split(";"))):
        try:
            left, top, right, bottom = (float(value) for value in part.split(","))
        except ValueError:
            left = top = right = bottom = 0.0
        if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
            raise ImproperlyConfigured(f"{name} must hold left,top,right,bottom, each from 0 to 1, not {part!r}.")
        found.append((left, top, right, bottom))
    return tuple(found)


def folder(name: str, default: Path) -> Path:
    """An absolute folder path, made if it is missing and checked to be writable."""
    path = Path(text(name, str(default))).expanduser().absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(f"{name}: cannot make the folder {path}: {error.strerror}.") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise ImproperlyConfigured(f"{name}: the folder {path} is not writable.")
    return path


def file(name: str) -> Path | None:
    """A file that must exist when the variable is set."""
    raw = text(name)
    if not raw:
        return None
    path = Path(raw).expanduser().absolute()
    if not path.is_file():
        raise ImproperlyConfigured(f"{name}: there is no file {path}.")
    return path
