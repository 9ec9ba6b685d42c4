"""Log lines without secrets: what every process's console handler formats with."""

from __future__ import annotations

import logging
import re

HIDDEN = "***"
# Each pattern keeps its first group and hides what follows it.
SECRETS = (
    # rtsp://user:password@host, also with an @ in the password: the last one before the path counts.
    re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s/?#'\"<>]+(?=@)", re.IGNORECASE),
    # One-time enrolment links.
    re.compile(r"(/enrol/)[^/\s'\"?]+"),
    # Access tokens, wherever they stand; our other names of such a form are shorter.
    re.compile(r"(omil_)[A-Za-z0-9_-]{40,}"),
    # Cookies of sessions, devices and forms.
    re.compile(r"(\b(?:omil_(?:device|session|csrf)\w*|csrfmiddlewaretoken)['\"]?\s*[=:]\s*['\"]?)[^\s;,'\"&]+"),
    re.compile(r"(\bauthorization['\"]?\s*[=:]\s*['\"]?(?:bearer|basic|token)?\s*)[^\s,'\"]+", re.IGNORECASE),
    # Signed addresses of files in a store.
    re.compile(r"(\bX-Amz-(?:Signature|Credential|Security-Token)=)[^\s&'\"<>]+", re.IGNORECASE),
    # password=…, "api_key": …, secret: … in query strings, forms and dumps.
    re.compile(
        r"(\b[a-z_]*(?:password|passwd|pwd|secret|token|api_?key)['\"]?\s*[=:]\s*['\"]?)[^\s,;&'\"}\])]+",
        re.IGNORECASE,
    ),
)


def redact(text: str) -> str:
    for pattern in SECRETS:
        text = pattern.sub(rf"\1{HIDDEN}", text)
    return text


class RedactingFormatter(logging.Formatter):
    """Formats a record, its traceback included, and hides credentials wherever they stand in it."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class WithoutTraceback(logging.Filter):
    """For what anybody can cause from outside: one line each, not thirty."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.exc_info = record.exc_text = None
        return True
