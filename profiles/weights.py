"""The files of the face models: where they are, whether they are what was published, and how they are fetched.

Importing this is cheap; `manage.py prepare_models` calls `prepare`.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

from django.conf import settings
from django.utils.translation import gettext as _

Report = Callable[[str], None]
CONNECT_S = 10
CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class Published:
    """A file of OpenCV's zoo of models, as it was at the revision that the settings name."""

    path: str
    sha256: str
    size: int


PUBLISHED = {
    "face_detection_yunet_2023mar.onnx": Published(
        "models/face_detection_yunet/face_detection_yunet_2023mar.onnx",
        "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        232_589,
    ),
    "face_recognition_sface_2021dec.onnx": Published(
        "models/face_recognition_sface/face_recognition_sface_2021dec.onnx",
        "0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
        38_696_353,
    ),
}


class FaceModelError(Exception):
    """A face model could not be fetched or is not what was published."""


def expected() -> tuple[Path, Path]:
    """Where the finder and the embedder belong: paths, or names in MODELS_DIR."""
    names = settings.OMIL_FACE_DETECTOR, settings.OMIL_FACE_EMBEDDER
    finder, embedder = (_place(Path(name).expanduser()) for name in names)
    return finder, embedder


def _place(given: Path) -> Path:
    return given.absolute() if given.parent != Path() else Path(settings.MODELS_DIR).absolute() / given


def found() -> tuple[Path, Path] | None:
    """Both files; None where one is missing or a published name holds something else."""
    files = expected()
    return files if all(_is_sound(file) for file in files) else None


def are_there() -> bool:
    """Whether faces can be recognised here; cheap enough for every page."""
    return found() is not None


def _is_sound(file: Path) -> bool:
    try:
        about = file.stat()
    except OSError:
        return False
    known = PUBLISHED.get(file.name)
    return known is None or _sha256(file, about.st_size, about.st_mtime_ns) == known.sha256


@lru_cache(maxsize=16)
def _sha256(file: Path, _size: int, _mtime_ns: int) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def how_to_add() -> str:
    """For people without network too, in their language."""
    missing = [file for file in expected() if not _is_sound(file)]
    known = [f"{settings.FACE_MODELS_URL}/{PUBLISHED[file.name].path}" for file in missing if file.name in PUBLISHED]
    words = {"files": ", ".join(map(str, missing)) or "-", "addresses": " , ".join(known)}
    text = _("Faces cannot be recognised here. Missing, or not as published: %(files)s. Everything else works.") % words
    if known:
        text += (
            " " + _("Run “manage.py prepare_models”, or put there what any machine can download: %(addresses)s") % words
        )
    return text


def prepare(report: Report, may_fetch: bool) -> None:
    """Fetches what is missing and has a known name. Raises FaceModelError."""
    for file in expected():
        if (
            not _is_sound(file)
            and may_fetch
            and file.name in PUBLISHED
            and file.parent == _place(Path(file.name)).parent
        ):
            _fetch(PUBLISHED[file.name], file, report)
    if not are_there():
        raise FaceModelError(how_to_add())
    report("Ready for faces: " + ", ".join(file.name for file in expected()))


def _fetch(known: Published, target: Path, report: Report) -> None:
    """Written beside the target, checked and then renamed: a half file is never loaded."""
    source = f"{settings.FACE_MODELS_URL}/{known.path}"
    report(f"Fetching {source} ({known.size / 1e6:.1f} MB) ...")
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".fetch-", dir=target.parent)
    temporary = Path(name)
    digest, received = hashlib.sha256(), 0
    try:
        request = Request(source, headers={"User-Agent": f"omil/{settings.VERSION}"})  # noqa: S310 (the setting is checked)
        with os.fdopen(handle, "wb") as file, urlopen(request, timeout=CONNECT_S) as answer:  # noqa: S310
            while (chunk := answer.read(CHUNK)) and received <= known.size:
                file.write(chunk)
                digest.update(chunk)
                received += len(chunk)
        if digest.hexdigest() != known.sha256:
            raise ValueError("what came is not the published file")
        temporary.chmod(0o644)
        temporary.replace(target)
    except (URLError, HTTPException, OSError, ValueError) as error:
        raise FaceModelError(f"{target.name} could not be fetched ({error}). {how_to_add()}") from error
    finally:
        temporary.unlink(missing_ok=True)
