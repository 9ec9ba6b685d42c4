from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from prometheus_client import CollectorRegistry, Counter, Gauge
from pytest_django import Settings

from accounts.models import User
from cameras import folders
from cameras.analysis import Beat
from cameras.entries import Kind
from cameras.frames import Frame
from cameras.models import Camera
from cameras.ring import Ring
from cameras.spool import Spool
from detections import weights
from omil import authority, health
from omil.health import Part, overall

pytestmark = pytest.mark.django_db
PARTS = {"database", "queue", "workers", "recorder", "media", "notify", "model", "disk", "storage", "lag"}


@pytest.fixture
def well(monkeypatch: pytest.MonkeyPatch, settings: Settings, valkey: str) -> None:
    """An installation with nothing to complain of."""
    settings.ANALYSIS_WORKERS = 1
    monkeypatch.setattr("cameras.analysis.beats", lambda _folder=None: [Beat(1, time.time(), 0.04)])
    weights.announce(name="yolo26n · OpenVINO · 640 px", is_fallback=False)
    settings.RUN_DIR.mkdir(parents=True, exist_ok=True)
    for process in ("recorder", "notify"):
        (settings.RUN_DIR / f"{process}.json").write_text(f'{{"at": {time.time()}}}')


def told(client: Client) -> tuple[int, dict[str, Any]]:
    response = client.get("/healthz")
    assert "no-store" in response["Cache-Control"]
    return response.status_code, response.json()


@pytest.mark.parametrize(
    ("states", "worst"),
    [
        (["ok", "ok"], "ok"),
        (["ok", "degraded"], "degraded"),
        (["degraded", "down", "ok"], "down"),
    ],
)
def test_the_worst_part_speaks_for_all(states: list[Any], worst: str) -> None:
    assert overall({str(n): Part(state) for n, state in enumerate(states)}) == worst


def test_all_is_well(client: Client, well: None) -> None:
    assert told(client) == (200, {"status": "ok", "parts": dict.fromkeys(PARTS, "ok")})


def test_a_stranger_learns_states_and_no_figures(client: Client, well: None) -> None:
    _, body = told(client)
    assert all(isinstance(part, str) for part in body["parts"].values())


def test_an_operator_learns_no_more_than_a_stranger(client: Client, well: None, bob: User) -> None:
    client.force_login(bob)
    assert all(isinstance(part, str) for part in told(client)[1]["parts"].values())


def test_a_recorder_that_is_silent_is_down(client: Client, well: None, settings: Settings) -> None:
    (settings.RUN_DIR / "recorder.json").write_text(f'{{"at": {time.time() - 6}}}')
    assert told(client)[1]["parts"]["recorder"] == "down"
    (settings.RUN_DIR / "recorder.json").unlink()
    assert told(client)[0] == 503


def test_programs_that_are_told_late_are_no_disaster(client: Client, well: None, settings: Settings) -> None:
    (settings.RUN_DIR / "notify.json").write_text(f'{{"at": {time.time() - 16}}}')
    code, body = told(client)
    assert (code, body["parts"]["notify"], body["status"]) == (200, "degraded", "degraded")


def test_clips_that_wait_for_a_media_worker_are_no_disaster(client: Client, well: None, settings: Settings) -> None:
    settings.MEDIA_WORKERS = 2
    code, body = told(client)
    assert (code, body["parts"]["media"], body["status"]) == (200, "degraded", "degraded")


def test_superusers_see_figures(client: Client, well: None, root: User) -> None:
    client.force_login(root)
    parts = told(client)[1]["parts"]
    assert parts["model"]["name"] == "yolo26n · OpenVINO · 640 px"
    assert parts["workers"] == {"status": "ok", "alive": 1, "wanted": 1, "frame_ms": [40.0]}
    assert set(parts["queue"]["waiting"]) == {"drain-main", "catch-up-main", "media-main", "videos-main"}
    assert parts["disk"]["free_bytes"] > 0
    assert parts["lag"]["most_s"] == 0


def test_a_dead_database_is_said_and_not_raised(client: Client, well: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OperationalError("no such server")

    monkeypatch.setattr("omil.health.connection.cursor", fail)
    status, body = told(client)
    assert status == 503
    assert body["parts"]["database"] == "down"


def test_a_dead_valkey_is_said(client: Client, well: None, settings: Settings, tmp_path: Path) -> None:
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"
    status, body = told(client)
    assert (status, body["status"], body["parts"]["queue"]) == (503, "down", "down")


@pytest.mark.parametrize(("alive", "state"), [(0, "down"), (1, "degraded"), (2, "ok")])
def test_missing_workers_are_said(
    well: None, settings: Settings, monkeypatch: pytest.MonkeyPatch, alive: int, state: str
) -> None:
    settings.ANALYSIS_WORKERS = 2
    monkeypatch.setattr(
        "cameras.analysis.beats", lambda _folder=None: [Beat(n, time.time(), 0.04) for n in range(alive)]
    )
    assert health.workers().state == state


def test_the_fallback_detector_is_degraded_and_says_how_to_add_weights(client: Client, well: None, root: User) -> None:
    weights.announce(name="omil-person · OpenVINO · int8", is_fallback=True, reason="There is no model file.")
    client.force_login(root)
    status, body = told(client)
    assert (status, body["status"]) == (200, "degraded")
    assert body["parts"]["model"]["name"] == "omil-person · OpenVINO · int8"
    assert "prepare_models" in body["parts"]["model"]["advice"]


def test_without_any_detector_it_is_down_and_says_why(client: Client, well: None, root: User) -> None:
    weights.announce(name="", is_fallback=True, reason="Omil's own model is damaged.")
    client.force_login(root)
    status, body = told(client)
    assert (status, body["status"]) == (503, "down")
    assert body["parts"]["model"]["reason"] == "Omil's own model is damaged."


def test_a_full_disk_is_down(well: None, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.FREE_SPACE_BYTES = 1_000
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10_000, 9_001, 999))
    assert health.disk().state == "down"
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10_000, 9_000, 1_000))
    assert health.disk().state == "ok"


def test_a_picture_that_waits_too_long_is_lag(well: None, settings: Settings, camera_x: Camera) -> None:
    received_at = time.time() - settings.MAX_LAG_S - 1
    frame = Frame(camera_x.pk, "0" * 32, 1, received_at, received_at, b"jpeg")
    put(frame)
    part = health.lag()
    assert part.state == "degraded"
    assert part.figures["cameras_s"] == {camera_x.slug: pytest.approx(settings.MAX_LAG_S + 1, abs=1)}


def put(frame: Frame) -> None:
    folder = folders.of(frame.camera_id)
    Spool(folder).put(frame, Kind.ADMITTED, "", picture=Ring(folder, max_bytes=10_000).put(frame))


def test_a_certificate_about_to_end_is_said(
    client: Client, well: None, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings.HTTPS, settings.OMIL_HOSTS, settings.TLS_DIR = True, ["gate.local"], tmp_path / "tls"
    settings.TLS_CERTIFICATE = settings.TLS_KEY = None
    monkeypatch.setattr(authority, "_leaf", None)
    assert health.certificate() == Part("ok", {"days_left": None})
    served = authority.current()
    authority.serving(served)
    assert health.certificate().state == "ok"
    late = served.chain()[0].not_valid_after_utc
    monkeypatch.setattr(authority, "utc_now", lambda: late)
    authority.current()  # Another process has renewed the files, which this one will read at its next start.
    assert served.chain()[0].not_valid_after_utc > late
    assert health.certificate() == Part("degraded", {"days_left": 0})
    assert told(client)[1]["parts"]["certificate"] == "degraded"


@pytest.mark.parametrize("path", ["/healthz", "/metrics"])
def test_nothing_can_be_posted(client: Client, root: User, path: str) -> None:
    client.force_login(root)
    assert client.post(path).status_code == 405


# --- Metrics ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def token(settings: Settings) -> str:
    settings.METRICS_TOKEN = "s3cret"
    return "s3cret"


def test_a_stranger_is_sent_to_log_in(client: Client) -> None:
    response = client.get("/metrics")
    assert (response.status_code, response["Location"]) == (302, "/login/?next=/metrics")


def test_an_operator_finds_no_metrics(client: Client, bob: User) -> None:
    client.force_login(bob)
    assert client.get("/metrics").status_code == 404


@pytest.mark.parametrize("header", ["Bearer wrong", "Bearer ", "Basic s3cret", "Bearer s3cret2", "Bearer ㄱ"])
def test_a_wrong_token_is_refused(client: Client, token: str, header: str) -> None:
    response = client.get("/metrics", headers={"Authorization": header})
    assert response.status_code == 401
    assert b"omil_" not in response.content


def test_an_empty_token_opens_nothing_where_none_is_set(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = ""
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 401


def test_a_scraper_with_the_token_and_superusers_get_the_counters_of_all_processes(
    client: Client, token: str, root: User, settings: Settings
) -> None:
    Counter("omil_health_test", "Counts for this test.", registry=CollectorRegistry()).inc(3)
    scraped = client.get("/metrics", headers={"Authorization": f"Bearer {token}"})
    assert scraped.status_code == 200
    assert "omil_health_test_total 3.0" in scraped.text
    client.force_login(root)
    assert "omil_health_test_total 3.0" in client.get("/metrics").text


def test_the_open_sockets_of_a_killed_process_are_forgotten(client: Client, token: str, settings: Settings) -> None:
    code = """
import os, prometheus_client
prometheus_client.Gauge("omil_health_gauge", "For this test.", multiprocess_mode="livesum").set(7)
os.kill(os.getpid(), 9)
"""
    Gauge("omil_health_gauge", "For this test.", multiprocess_mode="livesum", registry=CollectorRegistry()).set(2)
    subprocess.run([sys.executable, "-c", code], check=False, timeout=30)
    assert len(list(Path(settings.METRICS_DIR).glob("gauge_livesum_*.db"))) >= 2
    shown = client.get("/metrics", headers={"Authorization": f"Bearer {token}"}).text
    assert "omil_health_gauge 2.0" in shown
