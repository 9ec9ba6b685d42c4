from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import OperationalError
from pytest_django import Settings

from detections import weights
from omil import authority, startup
from omil.startup import StartError

ROOT = Path(__file__).parents[2]
HOLDER = """
import sys, django
django.setup()
from pathlib import Path
from omil import startup
with startup.held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "lock")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_data_folder_is_held_by_one_at_a_time(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    with (
        pytest.raises(StartError, match=rf"already runs on .* \(process {holder.pid}\).*OMIL_DATA_DIR and PORT"),
        startup.held(tmp_path / "lock"),
    ):
        pass


def test_a_killed_holder_blocks_nobody(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    with startup.held(tmp_path / "lock"):
        assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_a_taken_port_is_named_with_its_variable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=f"Port {port} cannot be used .* Choose another with PORT"):
            startup.check_port("PORT", port)
    startup.check_port("PORT", port)


def test_a_port_left_by_a_server_that_was_killed_can_be_used_at_once() -> None:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        server.accept()[0].close()  # Our side closes first and lingers in TIME_WAIT.
        client.close()
    startup.check_port("PORT", port)


def names() -> list[str]:
    return [program.name for program in startup.programs()]


def test_every_process_runs_unless_a_setting_makes_it_needless(settings: Settings) -> None:
    settings.IS_VALKEY_EMBEDDED, settings.ANALYSIS_WORKERS, settings.HTTPS = True, 1, False
    assert names() == ["valkey", "web", "ingest", "clock", "recorder", "notify", "analysis", "media"]
    settings.IS_VALKEY_EMBEDDED, settings.ANALYSIS_WORKERS, settings.HTTPS = False, 2, True
    settings.TLS_CERTIFICATE = None
    assert names() == ["web", "trust", "ingest", "clock", "recorder", "notify", "analysis.1", "analysis.2", "media"]
    settings.TLS_CERTIFICATE = Path("/etc/ssl/gate.pem")
    assert "trust" not in names()


def test_processes_run_on_this_very_python() -> None:
    assert {program.argv[0] for program in startup.programs()} == {sys.executable}


def test_a_process_is_ready_when_it_answers(settings: Settings, tmp_path: Path) -> None:
    programs = {program.name: program for program in startup.programs()}
    settings.VALKEY_SOCKET = tmp_path / "s"
    assert not startup.answers(socket.AF_UNIX, str(tmp_path / "s"))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        assert startup.answers(socket.AF_UNIX, str(tmp_path / "s"))
    assert not programs["analysis"].is_ready()
    weights.announce(name="yolo26n", is_fallback=False)
    assert programs["analysis"].is_ready()


def test_the_announcement_says_where_who_and_with_what(settings: Settings) -> None:
    settings.HTTPS, settings.SITE_URLS = False, ["http://localhost:8000"]
    weights.announce(name="yolo26n · OpenVINO", is_fallback=False)
    told = "\n".join(startup.announcement(["Log in as admin / secret"]))
    assert "http://localhost:8000/" in told
    assert "Log in as admin / secret" in told
    assert "Detector: yolo26n · OpenVINO" in told
    assert "trust" not in told


def test_on_the_fallback_it_says_how_to_add_weights() -> None:
    weights.announce(name="omil-person · OpenVINO", is_fallback=True, reason="There is no model file.")
    told = "\n".join(startup.announcement([]))
    assert "Detector: omil-person · OpenVINO\n" in told
    assert "There is no model file." in told
    assert "prepare_models" in told


def test_it_tells_no_detector_from_one_that_is_still_loading() -> None:
    assert "Detector: still loading" in "\n".join(startup.announcement([]))
    weights.announce(name="", is_fallback=True, reason="Omil's own model is damaged.")
    told = "\n".join(startup.announcement([]))
    assert "Detector: none can serve\nOmil's own model is damaged." in told


def test_over_https_it_says_how_devices_come_to_trust_it(settings: Settings, tmp_path: Path) -> None:
    settings.HTTPS, settings.OMIL_HOSTS, settings.TLS_DIR = True, ["gate.local"], tmp_path
    settings.TLS_CERTIFICATE = settings.TLS_KEY = None
    settings.TRUST_URL = "http://gate.local:8001/"
    told = "\n".join(startup.announcement([]))
    assert "http://gate.local:8001/" in told
    assert authority.fingerprint(authority.current().root()) in told


def test_what_an_earlier_version_left_open_is_closed(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    settings.SPOOL_DIR, settings.MEDIA_ROOT = tmp_path / "spool", tmp_path / "media"
    for path in (settings.SPOOL_DIR, settings.MEDIA_ROOT, tmp_path / "recordings", tmp_path / "models"):
        path.mkdir()
        path.chmod(0o755)
    for name in ("omil.sqlite3", "omil.sqlite3-wal"):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(0o644)
    startup.keep_private()
    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {
        "spool": 0o700,
        "media": 0o700,
        "recordings": 0o700,
        "models": 0o755,
        "omil.sqlite3": 0o600,
        "omil.sqlite3-wal": 0o600,
    }


def test_models_are_prepared_once_for_each_checkpoint(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "manage.py").write_text("open('prepared', 'a').write('x')")
    settings.BASE_DIR, settings.MODELS_DIR = tmp_path, tmp_path / "models"
    settings.OMIL_MODEL = str(tmp_path / "own.pt")

    def prepared() -> int:
        with startup.models_prepared():
            pass
        return len((tmp_path / "prepared").read_text())

    assert (prepared(), prepared()) == (1, 2)  # Without a checkpoint there is nothing to remember.
    (tmp_path / "own.pt").write_bytes(b"one")
    assert (prepared(), prepared()) == (3, 4)  # It came to nothing: no export is there.
    (tmp_path / "models" / "own-1").mkdir(parents=True)
    (tmp_path / "models" / "own-1" / "model.json").touch()
    assert (prepared(), prepared()) == (5, 5)
    (tmp_path / "own.pt").write_bytes(b"two!")
    assert (prepared(), prepared()) == (6, 6)


def test_static_files_are_collected_when_one_has_changed(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a.css").write_text("a {}")
    settings.STATICFILES_DIRS, settings.STATIC_ROOT = [tmp_path / "source"], tmp_path / "collected"
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    collected = tmp_path / "collected" / "a.css"
    startup.collect_static_files()
    collected.unlink()
    startup.collect_static_files()
    assert not collected.exists()  # Nothing had changed, so nothing was done.
    (tmp_path / "source" / "a.css").write_text("a { color: red }")
    startup.collect_static_files()
    assert collected.read_text() == "a { color: red }"


def test_a_catalogue_is_compiled_when_it_is_newer(settings: Settings, tmp_path: Path) -> None:
    settings.BASE_DIR = tmp_path
    folder = tmp_path / "locale" / "ko" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    source, compiled = folder / "django.po", folder / "django.mo"
    header = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n'
    source.write_text(header + 'msgid "Gate"\nmsgstr "정문"\n')
    startup.compile_catalogues()
    assert "정문".encode() in compiled.read_bytes()
    first = compiled.stat().st_mtime_ns
    startup.compile_catalogues()
    assert compiled.stat().st_mtime_ns == first
    source.write_text(header + 'msgid "Gate"\nmsgstr "후문"\n')
    os.utime(source, (first / 1e9 + 5, first / 1e9 + 5))
    startup.compile_catalogues()
    assert "후문".encode() in compiled.read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == ["django.mo", "django.po"]


def test_a_database_that_does_not_answer_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr("django.db.backends.base.base.BaseDatabaseWrapper.ensure_connection", refuse)
    with pytest.raises(StartError, match=r"DATABASE_URL: .*connection refused"):
        startup.check_services()


@pytest.mark.django_db
def test_a_valkey_that_does_not_answer_is_named_without_its_password(settings: Settings) -> None:
    settings.IS_VALKEY_EMBEDDED, settings.REDIS_URL = False, "redis://:hidden@127.0.0.1:1/0"
    with pytest.raises(StartError, match="REDIS_URL") as raised:
        startup.check_services()
    assert "hidden" not in str(raised.value)


@pytest.mark.django_db
def test_a_gpu_that_is_asked_for_and_missing_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.IS_VALKEY_EMBEDDED, settings.DEVICE = True, "cuda"
    monkeypatch.setattr(weights, "GPU_FILES", ())
    with pytest.raises(StartError, match="OMIL_DEVICE"):
        startup.check_services()


def test_a_wrong_setting_is_one_line_and_no_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT, env={**os.environ, "PORT": "abc"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.strip() == "Omil cannot start: PORT must be a whole number, not 'abc'."


def test_a_command_beside_the_running_site_knows_its_address(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "address").write_text("https://gate.example:8123")
    code = "from django.conf import settings; print(settings.SITE_URL)"
    env = {**os.environ, "OMIL_DATA_DIR": str(tmp_path), "PORT": "", "OMIL_HOSTS": ""}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "https://gate.example:8123"
