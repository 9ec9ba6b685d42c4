"""/healthz says whether each part of the product is well, /metrics gives its counters to Prometheus.

Anyone may ask for the state; figures and metrics name the cameras of every unit and are
for superusers, metrics also for whoever bears OMIL_METRICS_TOKEN.
"""

from __future__ import annotations

import hmac
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import redis
from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.files.storage import storages
from django.db import DatabaseError, connection
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from accounts.models import may_log_in
from api import notify
from cameras import analysis, folders, presence
from cameras.models import Camera
from cameras.spool import Spool
from cameras.status import first_waiting
from detections import weights
from omil import authority
from recordings import recorder as recording
from recordings import storage, stores
from recordings import worker as media_worker

State = Literal["ok", "degraded", "down"]
CERTIFICATE_DAYS = 30  # Fewer left is worth a warning.


@dataclass(frozen=True, slots=True)
class Part:
    """One part's state; the figures are for superusers."""

    state: State
    figures: Mapping[str, object] = field(default_factory=dict)


def database() -> Part:
    began = time.perf_counter()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return Part("down", {"error": type(error).__name__})
    return Part("ok", {"vendor": connection.vendor, "answer_ms": round(1_000 * (time.perf_counter() - began), 1)})


def queue() -> Part:
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1) as server:
            lengths = {name: server.llen(f"rq:queue:{name}") for name in settings.RQ_QUEUES}
            memory = server.info("memory")
    except redis.RedisError as error:
        return Part("down", {"error": type(error).__name__})
    figures = {"waiting": lengths, "memory_bytes": memory["used_memory"], "embedded": settings.IS_VALKEY_EMBEDDED}
    return Part("ok", figures)


def workers() -> Part:
    beats = analysis.beats()
    figures = {
        "alive": len(beats),
        "wanted": settings.ANALYSIS_WORKERS,
        "frame_ms": [round(1_000 * beat.frame_s, 1) for beat in beats],
    }
    if not beats:
        return Part("down", figures)
    return Part("ok" if len(beats) >= settings.ANALYSIS_WORKERS else "degraded", figures)


def recorder() -> Part:
    """Without it nothing is kept."""
    return Part("ok" if recording.is_at_work(time.time()) else "down")


def media() -> Part:
    """Without them clips wait to be encoded, and nothing is lost."""
    beats = analysis.beats(settings.RUN_DIR / media_worker.FOLDER)
    figures = {"alive": len(beats), "wanted": settings.MEDIA_WORKERS}
    return Part("ok" if len(beats) >= settings.MEDIA_WORKERS else "degraded", figures)


def notifier() -> Part:
    """Without it programs are told late, and nothing is lost."""
    return Part("ok" if notify.is_at_work(time.time()) else "degraded")


def model() -> Part:
    status = weights.status()
    figures = {"name": status.name, "fallback": status.is_fallback, "reason": status.reason, "advice": status.advice}
    if status.is_fallback and not status.name:
        return Part("down", figures)
    return Part("degraded" if status.is_fallback or not status.name else "ok", figures)


def disk() -> Part:
    usage = shutil.disk_usage(settings.DATA_DIR)
    figures = {"free_bytes": usage.free, "total_bytes": usage.total, "least_bytes": settings.FREE_SPACE_BYTES}
    return Part("down" if usage.free < settings.FREE_SPACE_BYTES else "ok", figures)


def recordings_storage() -> Part:
    """Whether clips can be stored; while they cannot, the rest of the product carries on."""
    found = storage.state()
    figures = {
        "problem": found.problem,
        "free_bytes": found.free_bytes,
        "total_bytes": found.total_bytes,
        "least_bytes": settings.RECORDINGS_FREE_BYTES,
    }
    return Part("down" if found.problem else "ok", figures)


def store() -> Part:
    """Whether files of videos and faces that lie elsewhere can be had; uploads wait here meanwhile."""
    files = stores.far(storages["videos"])
    if files is None:
        return Part("ok")
    problem = files.problem()
    return Part("down" if problem else "ok", {"problem": problem, "name": files.label})


def lag() -> Part:
    """How long the oldest picture of any camera has waited for analysis, from its receipt."""
    waits = {}
    try:
        cameras = list(Camera.objects.filter(is_enabled=True).values_list("pk", "slug"))
    except DatabaseError as error:
        return Part("down", {"error": type(error).__name__})
    now = time.time()
    for pk, slug in cameras:
        spool = Spool(folders.of(pk))
        waiting = first_waiting(spool, presence.read(spool.folder).n) if spool.folder.is_dir() else None
        waits[slug] = round(max(0.0, now - waiting.received_at), 2) if waiting else 0.0
    most = max(waits.values(), default=0.0)
    return Part("degraded" if most > settings.MAX_LAG_S else "ok", {"most_s": most, "cameras_s": waits})


def certificate() -> Part:
    """It is read at the start: one that has been renewed since is served only after the next."""
    days = authority.days_left()
    is_short = days is not None and days < CERTIFICATE_DAYS
    return Part("degraded" if is_short else "ok", {"days_left": days})


PARTS: dict[str, Callable[[], Part]] = {
    "database": database,
    "queue": queue,
    "workers": workers,
    "recorder": recorder,
    "media": media,
    "notify": notifier,
    "model": model,
    "disk": disk,
    "storage": recordings_storage,
    "lag": lag,
}


def look() -> dict[str, Part]:
    parts = {name: look_at() for name, look_at in PARTS.items()}
    if settings.STORE:
        parts["store"] = store()
    if settings.HTTPS:
        parts["certificate"] = certificate()
    return parts


def overall(parts: dict[str, Part]) -> State:
    """The worst of the parts' states."""
    states = {part.state for part in parts.values()}
    return "down" if "down" in states else "degraded" if "degraded" in states else "ok"


def sees_every_unit(request: HttpRequest) -> bool:
    try:
        return may_log_in(request.user) and request.user.is_superuser
    except DatabaseError:  # Then that is what the answer has to say.
        return False


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    parts = look()
    state = overall(parts)
    told = {
        name: {"status": part.state, **part.figures} if sees_every_unit(request) else part.state
        for name, part in parts.items()
    }
    return JsonResponse({"status": state, "parts": told}, status=503 if state == "down" else 200)


def forget_dead_processes() -> None:
    """A killed process leaves its gauges behind, which would go on counting its open sockets."""
    for path in settings.METRICS_DIR.glob("gauge_live*_*.db"):
        if not Path(f"/proc/{path.stem.rpartition('_')[2]}").exists():
            path.unlink(missing_ok=True)


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponseBase:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme:
        expected = settings.METRICS_TOKEN
        if scheme.lower() != "bearer" or not expected or not hmac.compare_digest(token.encode(), expected.encode()):
            return HttpResponse("Unauthorized\n", status=401, headers={"WWW-Authenticate": "Bearer"})
    elif not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    elif not sees_every_unit(request):
        raise Http404
    forget_dead_processes()
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(settings.METRICS_DIR))  # type: ignore[no-untyped-call]
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
