"""What is done before the processes start, and what is said once they serve; `manage.py start` is the caller."""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import redis
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.files.storage import storages
from django.core.management import call_command
from django.db import DatabaseError, connections

from detections import weights
from omil import authority, env, store, supervise
from recordings import stores


class StartError(Exception):
    """Omil cannot start; the message says why and what to do."""


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """Holds the data folder for this process; the kernel frees it with the process, however that ends."""
    with lock.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise StartError(
                f"Omil already runs on {settings.DATA_DIR} (process {file.read().strip() or 'unknown'}). "
                "Stop that one, or give this one its own OMIL_DATA_DIR and PORT."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def check_port(name: str, port: int) -> None:
    """Says in plain words that a port is taken, where the server could only fail again and again."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0" if settings.HTTPS else "127.0.0.1", port))  # noqa: S104
        except OSError as error:
            raise StartError(f"Port {port} cannot be used ({error.strerror}). Choose another with {name}.") from None


def check_services() -> None:
    """Says in plain words that a database, a Valkey or a GPU that a setting names is not there."""
    try:
        connections["default"].ensure_connection()
    except DatabaseError as error:
        raise StartError(f"DATABASE_URL: the database does not answer. {str(error).strip()}") from None
    if not settings.IS_VALKEY_EMBEDDED:
        try:
            redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=5).ping()
        except (redis.RedisError, OSError) as error:
            raise StartError(f"REDIS_URL: the server does not answer. {error}") from None
    if why := refused_by_store():
        raise StartError(why)
    if settings.DEVICE == "cuda" and not weights.has_gpu_device():
        raise StartError("OMIL_DEVICE is cuda, but this machine has no NVIDIA GPU that can be used; auto finds out.")


def refused_by_store() -> str:
    """Why no file will ever be stored as the settings are. One that does not answer is waited for: uploads are kept."""
    files = stores.far(storages["videos"])
    if files is None:
        return ""
    return {
        "key": f"{store.KEY}: the store knows no such key.",
        "secret": f"{store.SECRET}: it is not the one that belongs to {store.KEY}.",
        "denied": f"{store.KEY}, {store.SECRET}: the store lets nobody with them see {files.label}.",
        "no_bucket": f"{store.NAME}: there is no such bucket. {files.label}",
    }.get(files.problem(), "")


def keep_private() -> None:
    """Closes to the machine's other users what an earlier version left open; what is new is closed by manage.py."""
    folders = [settings.SPOOL_DIR, settings.TRACKS_DIR, settings.RUN_DIR, settings.SECRETS_DIR, settings.MEDIA_ROOT]
    folders += [settings.PROFILES_DIR, settings.VIDEOS_DIR, settings.VIDEOS_WORK_DIR, settings.EXPORTS_DIR]
    folders += [settings.DATA_DIR / "recordings"]
    for path in map(Path, [*folders, *settings.DATA_DIR.glob("omil.sqlite3*")]):
        with suppress(OSError):  # It is not there, or lies on a disk that knows no users.
            if not path.is_symlink():
                path.chmod(0o700 if path.is_dir() else 0o600)


def prepare() -> list[str]:
    """Brings certificate, files, database, admin and models up to date; returns what to say of it when all serves."""
    said = env.misspelt()
    keep_private()
    if settings.HTTPS:
        try:
            said += authority.current().notes
        except authority.CertificateError as error:
            raise StartError(str(error)) from None
    shutil.rmtree(settings.METRICS_DIR, ignore_errors=True)
    settings.METRICS_DIR.mkdir(parents=True)
    (settings.RUN_DIR / "detector.json").unlink(missing_ok=True)  # Of the last run; the workers write it anew.
    with models_prepared():
        compile_catalogues()
        collect_static_files()
        call_command("migrate", interactive=False, verbosity=0)
        credentials = io.StringIO()
        call_command("ensure_admin", stdout=credentials)
        connections.close_all()
    return [*said, f"Log in as {credentials.getvalue().strip()}"]


@contextmanager
def models_prepared() -> Iterator[None]:
    """Prepares the model files while the body runs, unless this very checkpoint was prepared before.

    In a process of its own, for what it loads must not stay in memory for as long as the product runs.
    """
    stamp, checkpoint = settings.MODELS_DIR / ".prepared", weights.checkpoint()
    sizes = f"{settings.IMAGE_SIZE} {settings.GATE_IMAGE_SIZE} {settings.POSE_IMAGE_SIZE} {settings.VERSION}"
    files = [_about(checkpoint), _about(weights.checkpoint(weights.POSES))]
    wanted = " ".join([*files, sizes]) if checkpoint else None
    if wanted and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        yield
        return
    command = [*supervise.BOUND_TO_US, sys.executable, "manage.py", "prepare_models", "--first-run"]
    with subprocess.Popen(command, cwd=settings.BASE_DIR) as preparing:  # noqa: S603
        yield
    if wanted and preparing.returncode == 0 and any(settings.MODELS_DIR.glob("*/model.json")):
        stamp.write_text(wanted, encoding="utf-8")


def _about(checkpoint: Path | None) -> str:
    about = checkpoint.stat() if checkpoint else None
    return f"{checkpoint} {about.st_size} {about.st_mtime_ns}" if about else ""


def collect_static_files() -> None:
    """Collects them when one has changed since the last time, as its size and time tell."""
    stamp = settings.STATIC_ROOT / ".collected"
    digest = hashlib.sha256(settings.VERSION.encode())
    for finder in get_finders():
        for name, storage in finder.list([]):
            about = Path(storage.path(name)).stat()
            digest.update(f"{name} {about.st_size} {about.st_mtime_ns}\n".encode())
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != digest.hexdigest():
        call_command("collectstatic", interactive=False, verbosity=0)
        stamp.write_text(digest.hexdigest(), encoding="utf-8")


def compile_catalogues() -> None:
    """Compiles what is newer than its compiled form; msgfmt is a system package that scripts/setup.sh asks for."""
    for source in settings.BASE_DIR.glob("locale/*/LC_MESSAGES/*.po"):
        compiled = source.with_suffix(".mo")
        if not compiled.exists() or compiled.stat().st_mtime < source.stat().st_mtime:
            fresh = compiled.with_suffix(f".{os.getpid()}")
            subprocess.run(["msgfmt", "--output-file", fresh, source], check=True)  # noqa: S603, S607
            fresh.chmod(0o644)  # It lies with the code, which is everybody's.
            fresh.replace(compiled)


def programs() -> list[supervise.Program]:
    """The Procfile's processes, less those that a setting makes needless."""
    ready = {
        "valkey": lambda: answers(socket.AF_UNIX, str(settings.VALKEY_SOCKET)),
        "web": lambda: answers(socket.AF_INET, ("127.0.0.1", settings.PORT)),
        "analysis": (settings.RUN_DIR / "detector.json").exists,
    }
    counts = {
        "valkey": int(settings.IS_VALKEY_EMBEDDED),
        "analysis": settings.ANALYSIS_WORKERS,
        "media": settings.MEDIA_WORKERS,
        "trust": int(settings.HTTPS and settings.TLS_CERTIFICATE is None),
    }
    commands = {
        name: (sys.executable, *command[1:]) if command[0] == "python" else command
        for name, command in supervise.read_procfile(settings.BASE_DIR / "Procfile").items()
    }
    return supervise.choose(commands, counts, ready, base=("valkey",))


def answers(family: socket.AddressFamily, address: str | tuple[str, int]) -> bool:
    with suppress(OSError), socket.socket(family) as probe:
        probe.settimeout(0.2)
        probe.connect(address)
        return True
    return False


def announcement(said: list[str]) -> list[str]:
    """The lines that end the start: addresses, log-in, detector and, with an authority of our own, how to trust it."""
    lines = [f"Omil {settings.VERSION} serves {'  '.join(f'{url}/' for url in settings.SITE_URLS)}", *said]
    detector = weights.status()
    missing = "none can serve" if detector.is_fallback else "still loading; /healthz tells"
    lines += [f"Detector: {detector.name or missing}"]
    lines += [line for line in (detector.reason, detector.advice) if line]
    if settings.HTTPS and settings.TLS_CERTIFICATE is None:
        served = authority.current()
        lines += [f"Devices trust this server by {settings.TRUST_URL}, where they must see the fingerprint"]
        lines += [f"  {authority.fingerprint(served.root())}"]
    width = 100
    return ["", "─" * width, *lines, "Ctrl-C stops everything.", "─" * width, ""]
