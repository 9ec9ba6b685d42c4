from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from omil import env

NAME = "OMIL_TEST_VARIABLE"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    def give(value: str | None) -> None:
        if value is None:
            monkeypatch.delenv(NAME, raising=False)
        else:
            monkeypatch.setenv(NAME, value)

    return give


@pytest.mark.parametrize(("value", "read"), [(None, "default"), ("", "default"), ("  ", "default"), (" a b ", "a b")])
def test_text(given: Callable[[str | None], None], value: str | None, read: str) -> None:
    given(value)
    assert env.text(NAME, "default") == read


@pytest.mark.parametrize(("value", "read"), [(None, []), (" a, b ,,c,", ["a", "b", "c"])])
def test_words(given: Callable[[str | None], None], value: str | None, read: list[str]) -> None:
    given(value)
    assert env.words(NAME) == read


@pytest.mark.parametrize(
    ("value", "read"), [(None, True), ("1", True), ("Yes", True), ("off", False), ("FALSE", False), ("", False)]
)
def test_flags(given: Callable[[str | None], None], value: str | None, read: bool) -> None:
    given(value)
    assert env.flag(NAME, default=True) is read


REFUSED: list[tuple[Callable[[], object], str, str]] = [
    (lambda: env.flag(NAME, default=True), "maybe", "must be one of 1, true, .* not 'maybe'"),
    (lambda: env.choice(NAME, "a", {"a", "b"}), "c", "must be one of a, b, not 'c'"),
    (lambda: env.integer(NAME, 1, least=0, most=9), "two", "must be a whole number, not 'two'"),
    (lambda: env.integer(NAME, 1, least=0, most=9), "1.5", "must be a whole number, not '1.5'"),
    (lambda: env.integer(NAME, 1, least=0, most=9), "10", "must be from 0 to 9, not 10"),
    (lambda: env.optional_integer(NAME, least=0, most=9), "10", "must be from 0 to 9, not 10"),
    (lambda: env.number(NAME, 1, least=0, most=9), "-0.1", "must be from 0 to 9, not -0.1"),
    (lambda: env.number(NAME, 1, least=0, most=9), "nan", "must be from 0 to 9, not nan"),
    (lambda: env.number(NAME, 1, least=0, most=9), "inf", "must be from 0 to 9, not inf"),
    (lambda: env.seconds(NAME, 1), "1 s", "must be a number, not '1 s'"),
    (lambda: env.file(NAME), "/nowhere/at-all", "there is no file /nowhere/at-all"),
    (lambda: env.folder(NAME, Path("/tmp")), "/proc/omil", "cannot make the folder /proc/omil"),
    (lambda: env.regions(NAME), "0,0,1", "left,top,right,bottom, each from 0 to 1, not '0,0,1'"),
    (lambda: env.regions(NAME), "0,0,1,0.1; 0,0.5,1,0.4", "not '0,0.5,1,0.4'"),
    (lambda: env.regions(NAME), "0,0,1.2,1", "not '0,0,1.2,1'"),
    (lambda: env.regions(NAME), "nan,0,1,1", "not 'nan,0,1,1'"),
]


@pytest.mark.parametrize(("read", "value", "message"), REFUSED)
def test_a_bad_value_names_its_variable(
    given: Callable[[str | None], None], read: Callable[[], object], value: str, message: str
) -> None:
    given(value)
    with pytest.raises(ImproperlyConfigured, match=f"{NAME}.*{message}"):
        read()


@pytest.mark.parametrize(("value", "read"), [(None, None), (" ", None), ("0", 0), ("7", 7)])
def test_an_integer_may_be_left_out(given: Callable[[str | None], None], value: str | None, read: int | None) -> None:
    given(value)
    assert env.optional_integer(NAME, least=0, most=9) == read


def test_an_integer_and_a_number_are_read(given: Callable[[str | None], None]) -> None:
    given("7")
    assert env.integer(NAME, 1, least=0, most=9) == 7
    assert env.number(NAME, 1, least=0, most=9) == 7.0
    given(None)
    assert env.number(NAME, 1.5, least=0, most=9) == 1.5


def test_parts_of_a_picture_are_read(given: Callable[[str | None], None]) -> None:
    given("0,0,1,.1; 0.8, 0.9, 1, 1;")
    assert env.regions(NAME) == ((0, 0, 1, 0.1), (0.8, 0.9, 1, 1))
    given(None)
    assert env.regions(NAME) == ()


def test_a_folder_is_made_and_a_file_found(given: Callable[[str | None], None], tmp_path: Path) -> None:
    given(str(tmp_path / "a" / "b"))
    assert env.folder(NAME, Path("/unused")) == tmp_path / "a" / "b"
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "key.pem").touch()
    given(str(tmp_path / "key.pem"))
    assert env.file(NAME) == tmp_path / "key.pem"
    given("")
    assert env.file(NAME) is None


# --- The settings as a whole -----------------------------------------------------------------------------------------


def settings_with(data: Path, show: str = "''", **variables: str) -> subprocess.CompletedProcess[str]:
    """Reads the settings in a fresh process and prints an expression of them."""
    env = {"PATH": os.environ["PATH"], "OMIL_DATA_DIR": str(data), **variables}
    code = f"from omil import settings; print({show})"
    return subprocess.run(
        [sys.executable, "-c", code], env=env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30
    )


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"PORT": "http"}, "PORT must be a whole number, not 'http'"),
        ({"PORT": "70000"}, "PORT must be from 1 to 65535, not 70000"),
        ({"OMIL_HOSTS": "https://gate.local"}, "OMIL_HOSTS: 'https://gate.local' is not a host name or address"),
        ({"OMIL_HOSTS": "gate.local:8000"}, "OMIL_HOSTS: 'gate.local:8000' is not a host name"),
        ({"OMIL_HOSTS": "*"}, "OMIL_HOSTS: '*' is not a host name"),
        ({"OMIL_TLS_CERTIFICATE": "/etc/hostname"}, "set both or neither"),
        ({"DATABASE_URL": "mysql://u@h/d"}, "DATABASE_URL must begin with postgres:// or sqlite://"),
        ({"REDIS_URL": "localhost:6379"}, "REDIS_URL must begin with redis://"),
        ({"OMIL_TIME_ZONE": "Asia/Soul"}, "OMIL_TIME_ZONE must be a time zone such as Asia/Seoul"),
        ({"OMIL_TIME_ZONE": "../etc"}, "OMIL_TIME_ZONE must be a time zone such as Asia/Seoul"),
        ({"OMIL_LANGUAGE": "de"}, "OMIL_LANGUAGE must be one of en, ko, not 'de'"),
        ({"OMIL_MAX_LAG_S": "soon"}, "OMIL_MAX_LAG_S must be a number, not 'soon'"),
    ],
)
def test_a_wrong_setting_stops_the_start_and_is_named(tmp_path: Path, variables: dict[str, str], message: str) -> None:
    read = settings_with(tmp_path, **variables)
    assert read.returncode == 1
    assert message in read.stderr.splitlines()[-1]


def test_without_hosts_the_site_is_plain_and_on_loopback(tmp_path: Path) -> None:
    shown = settings_with(tmp_path, "settings.SITE_URL, settings.SESSION_COOKIE_SECURE, settings.ALLOWED_HOSTS")
    assert shown.stdout == "http://localhost:8000 False ['localhost', '127.0.0.1', '[::1]']\n"


def test_with_hosts_the_site_is_https_and_its_cookies_secure(tmp_path: Path) -> None:
    shown = settings_with(
        tmp_path,
        "settings.SITE_URLS, settings.SESSION_COOKIE_SECURE and settings.CSRF_COOKIE_SECURE, settings.TRUST_URL",
        OMIL_HOSTS="gate.local, fd00::5",
        PORT="8443",
    )
    assert shown.stdout == "['https://gate.local:8443', 'https://[fd00::5]:8443'] True http://gate.local:8444/\n"


def test_two_installations_share_no_folder_socket_or_cookie(tmp_path: Path) -> None:
    show = "settings.VALKEY_SOCKET, settings.SESSION_COOKIE_NAME, settings.METRICS_DIR, settings.SECRET_KEY"
    one = settings_with(tmp_path / "one", show, PORT="8001").stdout.split()
    other = settings_with(tmp_path / "other", show, PORT="8002").stdout.split()
    assert len(one) == 4
    assert not set(one) & set(other)
    assert settings_with(tmp_path / "one", show, PORT="8001").stdout.split() == one


def test_a_data_folder_with_odd_letters_still_names_its_valkey(tmp_path: Path) -> None:
    import redis

    folder = tmp_path / "초소 #1?%20"
    shown = settings_with(folder, "settings.REDIS_URL, settings.VALKEY_SOCKET, sep='\\n'").stdout.splitlines()
    assert redis.Redis.from_url(shown[0]).connection_pool.connection_kwargs["path"] == shown[1]


def test_a_misspelt_setting_is_named_with_what_may_be_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMIL_KEEP_DAY", "7")
    monkeypatch.setenv("OMIL_ZZZZZZ", "7")
    monkeypatch.setenv("OMIL_KEEP_DAYS", "7")
    said = [line for line in env.misspelt() if "KEEP" in line or "ZZZ" in line]
    assert said == [
        "OMIL_KEEP_DAY is no setting and does nothing. Is OMIL_KEEP_DAYS meant?",
        "OMIL_ZZZZZZ is no setting and does nothing.",
    ]
