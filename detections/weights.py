"""Model files: where they are, what was exported from them, how they are fetched, and which detector is in use.

Importing this module is cheap; torch is loaded only while a checkpoint is exported.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from detections.yolo import Traits

logger = logging.getLogger(__name__)

NONE = "none"  # As the name of a model: do without it.
OWN = "omil-person"  # As the name of a model: Omil's own, which the repository holds.
USUAL = "yolo26n.pt"  # OMIL_MODEL where nobody has set it.
USUAL_SIZE = 640  # What YOLO models are made for.
KINDS = {"detect": "detection", "pose": "pose"}
FORMAT = 1  # Of an export folder; another number is exported again.
Report = Callable[[str], None]
GPU_FILES = (Path("/dev/nvidiactl"), Path("/dev/nvhost-gpu"), Path("/dev/dxg"))


class WeightsError(Exception):
    """A model file is missing or unusable; the text tells people what to do."""


@dataclass(frozen=True, slots=True)
class Want:
    """A model that the product can use: which setting names it, what it is for, and which names are published."""

    setting: str
    task: str  # As Ultralytics calls it.
    published: re.Pattern[str]

    @property
    def given(self) -> str:
        return str(getattr(settings, self.setting))

    @property
    def is_wanted(self) -> bool:
        """Whether weights are asked for."""
        return self.given.lower() not in {NONE, OWN}


PEOPLE = Want("OMIL_MODEL", "detect", re.compile(r"yolo(v8|v9|v10|11|12|26)[ntsmbclex]\.pt"))
OTHER_TASKS = re.compile(r"-(pose|seg|cls|obb)$")  # As Ultralytics ends the names of models that find no boxes.
POSES = Want("OMIL_POSE_MODEL", "pose", re.compile(r"yolo(v8|11|26)[nsmlx]-pose\.pt"))


@dataclass(frozen=True, slots=True)
class Exported:
    """A folder with model.onnx and what the serving side must know of it; the checkpoint may be gone."""

    folder: Path
    traits: Traits
    checkpoint: Path | None
    size: int = USUAL_SIZE  # Of the pictures it is made for, their longer side.

    @property
    def model(self) -> Path:
        return self.folder / "model.onnx"

    @property
    def in_integers(self) -> Path | None:
        """OpenVINO's own form, in 8 bits, where there is one."""
        file = self.folder / "model.xml"
        return file if file.is_file() else None


def has_gpu_device() -> bool:
    """Whether the machine shows an NVIDIA GPU; whether torch can use it, detections/yolo.py tells."""
    return any(path.exists() for path in GPU_FILES)


# --- Finding ---


def checkpoint(want: Want = PEOPLE) -> Path | None:
    """The file the setting names, if it is there: a path, or a name in MODELS_DIR or the current folder.

    Where nobody has set OMIL_MODEL, other weights of people in MODELS_DIR will do.
    """
    if not want.is_wanted:
        return None
    given = Path(want.given).expanduser()
    if given.suffix != ".pt":
        given = given.with_name(given.name + ".pt")
    places = [given] if given.parent != Path() else [settings.MODELS_DIR / given, given]
    if want is PEOPLE and want.given == USUAL:
        others = sorted(path for path in settings.MODELS_DIR.glob("*.pt") if not OTHER_TASKS.search(path.stem))
        places += [path for path in others if path.absolute() != checkpoint(POSES)]
    return next((place.absolute() for place in places if place.is_file()), None)


def expected(want: Want = PEOPLE) -> Path:
    """Where the checkpoint belongs, for people who must put it there."""
    given = Path(want.given).expanduser()
    name = given if given.suffix == ".pt" else given.with_name(given.name + ".pt")
    return (name if name.parent != Path() else settings.MODELS_DIR / name).absolute()


def address(want: Want = PEOPLE) -> str | None:
    """Where the checkpoint can be downloaded, if the setting is a name that Ultralytics publishes."""
    target = expected(want)
    is_published = want.published.fullmatch(target.name) and target.parent == settings.MODELS_DIR
    return f"{settings.WEIGHTS_URL}/{target.name}" if is_published else None


def how_to_add(want: Want = PEOPLE) -> str:
    """For people without network too, in their language."""
    words = {"path": expected(want), "address": address(want)}
    if want is POSES and not want.is_wanted:
        text = _("OMIL_POSE_MODEL says that there is to be none.")
    elif want is POSES:
        text = _("Put a YOLO pose model (.pt) at %(path)s and run “manage.py prepare_models”.")
        if words["address"]:
            text = _(
                "Download %(address)s on any machine, put it at %(path)s and run “manage.py prepare_models”. "
                "Or set OMIL_POSE_MODEL to the path of another YOLO pose model."
            )
    elif words["address"]:
        text = _(
            "Download %(address)s on any machine, put it at %(path)s and run “manage.py prepare_models”. "
            "Or set OMIL_MODEL to the path of another YOLO detection model."
        )
    else:
        text = _(
            "Put a YOLO detection model (.pt) at %(path)s, or set OMIL_MODEL to the path of one, "
            "and run “manage.py prepare_models”."
        )
    return text % words


def why_not(want: Want) -> str:
    """What to do for this model, in the reader's language; "" where it can serve."""
    return "" if exported(want) else how_to_add(want)


def exported(want: Want = PEOPLE) -> Exported | None:
    """What can serve now. Without a checkpoint any export of that name will do, the newest first."""
    if not want.is_wanted:
        return None
    source = checkpoint(want)
    if source is not None:
        return _read(_folder_of(source), source, want)
    stem = expected(want).stem
    found = sorted(settings.MODELS_DIR.glob(f"{stem}-*/model.json"), key=lambda path: path.stat().st_mtime)
    return next((kept for path in reversed(found) if (kept := _read(path.parent, None, want))), None)


def own() -> Exported:
    """Omil's own model, which needs neither torch nor an export. Raises WeightsError where it is damaged."""
    from detections.yolo import Traits

    folder = settings.OWN_MODEL_DIR
    try:
        about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        if about["format"] != FORMAT:
            raise ValueError(f"model.json has the format {about['format']}, not {FORMAT}")
        for name, digest in about["sha256"].items():
            state = (folder / name).stat()
            if _sha256(folder / name, state.st_size, state.st_mtime_ns) != digest:
                raise ValueError(f"{name} is not the file that model.json tells of")
        traits = Traits(about["stem"], about["person"], about["end_to_end"])
        return Exported(folder, traits, None, about["size"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"Omil's own model is damaged ({error}). “git checkout {folder}” brings it back.") from error


def _folder_of(source: Path) -> Path:
    about = source.stat()
    digest = _sha256(source, about.st_size, about.st_mtime_ns)
    return Path(settings.MODELS_DIR) / f"{source.stem}-{digest[:12]}"


@lru_cache(maxsize=8)
def _sha256(source: Path, _size: int, _mtime_ns: int) -> str:
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(folder: Path, source: Path | None, want: Want) -> Exported | None:
    from detections.yolo import Traits

    try:
        about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        is_of_use = about["format"] == FORMAT and about.get("task", PEOPLE.task) == want.task
        if is_of_use and (folder / "model.onnx").is_file():
            return Exported(folder, Traits(about["stem"], about["person"], about["end_to_end"]), source)
    except (OSError, ValueError, KeyError):
        pass
    return None


# --- Exporting ---


def export(report: Report, want: Want = PEOPLE) -> Exported:
    """Export the checkpoint unless that was done before; of several processes one does it and the others wait."""
    source = checkpoint(want)
    if source is None:
        raise WeightsError(f"There is no model file. {how_to_add(want)}")
    with _lock():
        kept = _read(_folder_of(source), source, want)
        if kept is None:
            report(f"Exporting {source.name} (once; this takes some seconds) ...")
            kept = _export(source, want)
    return kept


def _export(source: Path, want: Want) -> Exported:
    """Made in a folder of another name and renamed, so that a half-made export is never read."""
    from detections import yolo

    if not zipfile.is_zipfile(source):
        raise WeightsError(f"{source} is damaged or no PyTorch file. {how_to_add(want)}")
    folder = _folder_of(source)
    for left_over in settings.MODELS_DIR.glob(".export-*"):
        shutil.rmtree(left_over, ignore_errors=True)
    working = Path(tempfile.mkdtemp(prefix=".export-", dir=settings.MODELS_DIR))
    try:
        traits = yolo.export(source, working, size=USUAL_SIZE, task=want.task)
        about = {"format": FORMAT, "source": source.name, "task": want.task, **asdict(traits)}
        (working / "model.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
        working.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        working.rename(folder)
    except ModuleNotFoundError as error:
        raise WeightsError(f"{source} cannot be exported: the package {error.name!r} is not installed.") from error
    except Exception as error:  # Ultralytics and torch raise whatever a damaged file makes them raise.
        logger.debug("export of %s", source, exc_info=error)
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise WeightsError(f"{source} cannot be used as a YOLO {KINDS[want.task]} model: {reason}") from error
    finally:
        shutil.rmtree(working, ignore_errors=True)
    return Exported(folder, traits, source)


@contextmanager
def _lock() -> Iterator[None]:
    settings.MODELS_DIR.mkdir(parents=True, exist_ok=True)
    with (settings.MODELS_DIR / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# --- Which detector is in use ---


@dataclass(frozen=True, slots=True)
class DetectorStatus:
    """What the analysis worker that started last serves; `name` is empty until one has, and where none can serve."""

    name: str
    is_fallback: bool  # The weights that were asked for do not serve, but Omil's own model or none.
    reason: str  # Why it is the fallback, in the reader's language as far as it has no details.
    advice: str  # What to do, in the reader's language; empty when what was asked for serves.


def announce(*, name: str, is_fallback: bool, reason: str = "") -> None:
    """A worker says what it serves, for `status` in other processes."""
    body: dict[str, Any] = {"name": name, "is_fallback": is_fallback, "reason": reason, "written_at": time.time()}
    settings.RUN_DIR.mkdir(parents=True, exist_ok=True)
    temporary = settings.RUN_DIR / f".detector-{os.getpid()}.json"
    temporary.write_text(json.dumps(body), encoding="utf-8")
    temporary.replace(settings.RUN_DIR / "detector.json")


def status() -> DetectorStatus:
    """Cheap enough for every page: one small file is read."""
    body: dict[str, Any] = {}
    with suppress(OSError, ValueError):
        body = json.loads((settings.RUN_DIR / "detector.json").read_text(encoding="utf-8"))
    is_fallback = bool(body.get("is_fallback", False))
    name = str(body.get("name", ""))
    advice = _advice(name) if is_fallback else ""
    reason = str(body.get("reason", ""))
    return DetectorStatus(name, is_fallback, reason and _(reason), advice)


def _advice(name: str) -> str:
    if not PEOPLE.is_wanted:
        return ""
    if not name:
        return how_to_add()
    card = _(
        "Omil's own model works, but a site does better with weights of its own, or YOLO's. The pictures that it "
        "learned from have varying licences: see models/omil-person/README.md. OMIL_MODEL=omil-person keeps it."
    )
    return f"{card} {how_to_add()}"
