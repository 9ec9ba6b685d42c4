from __future__ import annotations

import logging
import sys

import pytest

from omil.logs import RedactingFormatter, redact


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        # A camera's address keeps its host.
        ("pulling rtsp://admin:hunter2@10.0.0.9:554/live", "pulling rtsp://***@10.0.0.9:554/live"),
        # An @ in the password does not end the redaction early.
        ("RTSP://admin:p@ss@cam/1 failed", "RTSP://***@cam/1 failed"),
        # A user name alone may be a token.
        ("http://abcdef@cam/", "http://***@cam/"),
        # Enrolment links open a camera to whoever has them.
        ("GET /enrol/kJ2-x_9/?next=1", "GET /enrol/***/?next=1"),
        ("https://gate.local:8000/enrol/kJ2-x_9", "https://gate.local:8000/enrol/***"),
        # Cookies, in headers and in dumps.
        ("cookie: omil_session_80=a; omil_device_x=b; t=c", "cookie: omil_session_80=***; omil_device_x=***; t=c"),
        ("{'omil_session_8000': 'abc', 'lang': 'ko'}", "{'omil_session_8000': '***', 'lang': 'ko'}"),
        # Headers.
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        # Access tokens, also where a query is quoted in another one.
        ("GET /cameras/gate/stream.mjpg?token=omil_" + "a-B_9" * 9, "GET /cameras/gate/stream.mjpg?token=***"),
        (
            "/login/?next=/x.mjpg%3Ftoken%3Domil_" + "a-B_9" * 9 + "%26width=64",
            "/login/?next=/x.mjpg%3Ftoken%3Domil_***%26width=64",
        ),
        # Names that end in a word for a secret.
        ("OMIL_METRICS_TOKEN=abc PORT=1", "OMIL_METRICS_TOKEN=*** PORT=1"),
        ('{"password": "a b", "user": "x"}', '{"password": "*** b", "user": "x"}'),
        ("?user=x&password=y&z=1", "?user=x&password=***&z=1"),
        # What is not a secret stays.
        ("camera 4: rtsp://10.0.0.9:554/live@home is back", "camera 4: rtsp://10.0.0.9:554/live@home is back"),
        ("mail to guard@example.com", "mail to guard@example.com"),
        ("3 tokens and a password were changed", "3 tokens and a password were changed"),
    ],
)
def test_it_hides_credentials_and_nothing_else(line: str, shown: str) -> None:
    assert redact(line) == shown


def test_it_hides_credentials_in_arguments_and_tracebacks() -> None:
    record: logging.LogRecord
    try:
        raise ConnectionError("no route to rtsp://admin:hunter2@cam/1")
    except ConnectionError:
        record = logging.LogRecord("cameras", logging.ERROR, "", 0, "%s", ("http://u:hunter2@h/",), sys.exc_info())
    formatted = RedactingFormatter("%(message)s").format(record)
    assert "hunter2" not in formatted
    assert "Traceback" in formatted
    assert "rtsp://***@cam/1" in formatted
