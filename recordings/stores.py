"""Stores of files, on a local disk or far away: what both do alike, and how to tell them apart.

Whoever reads or writes sees OSError, FileNotFoundError among them, wherever the files lie.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from django.core.files import File
from django.core.files.storage import FileSystemStorage, Storage
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin
from django.utils.translation import gettext as _

Problem = Literal["", "away", "key", "secret", "denied", "no_bucket"]
RETRY_S = 10


class StoreError(OSError):
    """The store takes or gives nothing now; another time it may."""


@runtime_checkable
class Far(Protocol):
    """A store whose files are no files of this machine."""

    label: str

    def signed(self, name: str, *, kind: str, download_as: str = "", method: str = "GET") -> str:
        """An address that gives this file, and nothing else, to whoever has it for the next minutes."""

    def fetch(self, name: str, path: Path) -> None:
        """Copies it to this machine. Raises OSError."""

    def problem(self) -> Problem:
        """What is wrong with it now; known for some seconds."""

    def tidy(self) -> None:
        """Drops what writers that were killed left half written. Raises OSError."""


class LocalStorage(FileSystemStorage):
    """For this user alone. A repeated step writes over what is there; a folder that becomes empty goes."""

    def __init__(self, location: str | Path | None = None) -> None:
        super().__init__(location, file_permissions_mode=0o600, directory_permissions_mode=0o700, allow_overwrite=True)

    def delete(self, name: str) -> None:
        super().delete(name)
        root = Path(self.location)
        with suppress(OSError):  # Not empty, or gone.
            for folder in Path(self.path(name)).parents:
                if folder == root or root not in folder.parents:
                    break
                folder.rmdir()


def far(files: Storage) -> Far | None:
    """None where it is a local disk."""
    return files if isinstance(files, Far) else None


def put(files: Storage, name: str, content: File) -> None:  # type: ignore[type-arg]  # Generic to the stubs only.
    """Whole, over what is there. Raises StoreError where there is no room or no answer."""
    try:
        files.save(name, content)
    except (FileNotFoundError, StoreError):
        raise
    except OSError as error:
        raise StoreError(error.errno, f"{name} cannot be stored: {error.strerror}") from error


class StoreMiddleware(MiddlewareMixin):
    """A page or file that needs a store which is away is not there at present: 503, and when to ask again."""

    # It is the innermost: those around it then all run in one thread, where each would change threads twice.
    async_capable = False

    def process_exception(self, _request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, StoreError):
            return None
        said = _("The storage of videos and faces does not answer at present. Try again in a moment.")
        return HttpResponse(said, "text/plain; charset=utf-8", 503, headers={"Retry-After": str(RETRY_S)})
