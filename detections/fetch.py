"""Fetches a model file from Ultralytics' release page, only for prepare_models and an admin's click."""

from __future__ import annotations

import json
import os
import tempfile
import time
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from django.conf import settings

from detections.weights import PEOPLE, Report, Want, WeightsError, address, expected, how_to_add

CONNECT_S = 10
MOST_BYTES = 500_000_000
CHUNK = 1 << 18
EVERY_S = 2.0  # Between two lines of progress.


def fetch(report: Report, want: Want = PEOPLE) -> Path:
    """Put the checkpoint where its setting looks for it. A failure is remembered, see `has_failed`."""
    target, source = expected(want), address(want)
    if source is None:
        raise WeightsError(f"There is no model file. {how_to_add(want)}")
    report(f"Fetching {source} ...")
    try:
        _download(source, target, report)
    except (URLError, HTTPException, OSError, ValueError) as error:
        reason = str(getattr(error, "reason", None) or error) or type(error).__name__
        _remember(target, reason)
        raise WeightsError(f"{target.name} could not be fetched ({reason}). {how_to_add(want)}") from error
    _marker(target).unlink(missing_ok=True)
    return target


def has_failed(want: Want = PEOPLE) -> bool:
    """Whether fetching this model was tried in vain, so that a start does not try again by itself."""
    return _marker(expected(want)).exists()


def _download(source: str, target: Path, report: Report) -> None:
    """Written beside the target and renamed, so that a half file is never loaded."""
    request = Request(source, headers={"User-Agent": f"omil/{settings.VERSION}"})  # noqa: S310 (the setting is checked)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".fetch-", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file, _open(request) as answer:
            _copy(answer, file, report)
        with Path(name).open("rb") as file:
            if file.read(2) != b"PK":
                raise ValueError("the answer is not a model file")
        Path(name).chmod(0o644)
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)


def _open(request: Request) -> HTTPResponse:
    try:
        answer: HTTPResponse = urlopen(request, timeout=CONNECT_S)  # noqa: S310
    except HTTPError as error:
        error.close()
        raise OSError(f"the server said {error.code} {error.reason}") from None
    return answer


def _copy(answer: HTTPResponse, file: BinaryIO, report: Report) -> None:
    total = int(answer.headers.get("Content-Length") or 0)
    received, told_at = 0, time.monotonic()
    while chunk := answer.read(CHUNK):
        file.write(chunk)
        received += len(chunk)
        if received > MOST_BYTES:
            raise ValueError(f"the file is larger than {MOST_BYTES // 1_000_000} MB")
        if time.monotonic() - told_at >= EVERY_S:
            told_at = time.monotonic()
            report(f"  {received / 1e6:.1f} of {total / 1e6:.1f} MB" if total else f"  {received / 1e6:.1f} MB")
    if total and received != total:
        raise ValueError(f"the connection ended after {received} of {total} bytes")


def _marker(target: Path) -> Path:
    return settings.MODELS_DIR / f".fetch-failed-{target.stem}.json"


def _remember(target: Path, reason: str) -> None:
    with suppress(OSError):  # Then the next start tries again: no harm.
        settings.MODELS_DIR.mkdir(parents=True, exist_ok=True)
        _marker(target).write_text(json.dumps({"reason": reason, "at": time.time()}), encoding="utf-8")
