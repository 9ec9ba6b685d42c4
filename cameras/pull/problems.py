"""What can be wrong with a source, in words; and how each pulled camera does, as ingest leaves it for the pages."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

WORDS: dict[str, str | Promise] = {
    "dns": _("Its host name is not known."),
    "refused": _("The connection is refused: the camera is off, or listens on another port."),
    "timeout": _("It cannot be reached: there is no answer at all."),
    "silent": _("It is connected, but no picture comes."),
    "unauthorized": _("It does not accept the user name and password."),
    "not_found": _("It knows no such path."),
    "redirect_loop": _("It sends us round in circles."),
    "http_error": _("It answers with an error."),
    "certificate": _("Its certificate is not trusted."),
    "address_not_allowed": _("This address is not allowed as a source."),
    "not_a_picture": _("What it sends is no whole picture."),
    "wrong_boundary": _("Its pictures are divided by another mark than it announces."),
    "unsupported": _("What it sends cannot be read."),
    "ended": _("It has ended the connection."),
    "crashed": _("Its reader has crashed and is started again."),
    "device_missing": _("There is no such device."),
    "file_missing": _("There is no such file."),
}
# What a broken switch, cable or resolver does to many cameras at once.
OF_THE_NETWORK = {"dns", "refused", "timeout", "silent", "ended"}
OF_THE_ADDRESS = {"dns", "address_not_allowed"}  # What is said of these names it.


@dataclass(frozen=True, slots=True)
class Standing:
    """How a pulled camera's source does. `state`: connecting, pictures, failed or ended. `since` in Unix seconds."""

    state: str
    code: str
    detail: str
    since: float

    @property
    def told(self) -> str:
        """The same for those who may not know the source's address."""
        return str(WORDS.get(self.code, self.code)) if self.code in OF_THE_ADDRESS else self.sentence

    @property
    def sentence(self) -> str:
        """What is wrong, with what the source itself says of it; "" when nothing is."""
        if not self.code:
            return ""
        words = str(WORDS.get(self.code, self.code))
        return f"{words} ({self.detail})" if self.detail else words


def _path(camera_id: int) -> Path:
    return Path(settings.RUN_DIR) / "pull" / f"{camera_id}.json"


def write(camera_id: int, standing: Standing) -> None:
    path = _path(camera_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(json.dumps(asdict(standing), ensure_ascii=False), encoding="utf-8")
    fresh.rename(path)


def read(camera_id: int) -> Standing | None:
    """None for a camera that is not pulled now, unless it was failing when Omil last pulled it."""
    with suppress(OSError, ValueError, TypeError):
        fields: dict[str, Any] = json.loads(_path(camera_id).read_text(encoding="utf-8"))
        return Standing(**fields)
    return None


def forget(camera_id: int) -> None:
    _path(camera_id).unlink(missing_ok=True)


def take_all() -> dict[int, Standing]:
    """What an earlier ingest left, by camera; nobody stands behind it any more, and it is removed."""
    found = {}
    for path in (Path(settings.RUN_DIR) / "pull").glob("*.json"):
        with suppress(ValueError):
            if standing := read(int(path.stem)):
                found[int(path.stem)] = standing
        path.unlink(missing_ok=True)
    return found
