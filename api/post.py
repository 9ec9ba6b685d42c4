"""Sends one message to a webhook: to a checked address, signed, within a time that holds whatever the receiver does."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import certifi
import httpx
from django.conf import settings
from django.utils.translation import gettext_noop

from api.signing import signature
from cameras.addresses import Address, AddressRefused, parse_allowed, pinned, resolve

TIMEOUT_S = 10.0
SCHEMES = {"https": 443, "http": 80}
# Translated where they are shown. Otherwise an answer is a status, or the name of an error.
SLOW = gettext_noop("it did not answer in time")
UNKNOWN = gettext_noop("its host name is not known")
NOT_ALLOWED = gettext_noop("its address is not allowed")
ELSEWHERE = gettext_noop("it sends us elsewhere, and redirects are not followed")
BROKEN = gettext_noop("the connection is refused or broken")
UNTRUSTED = gettext_noop("its certificate is not trusted")


@dataclass(frozen=True, slots=True)
class Letter:
    """A message for a webhook. `id` is the same at every try, so that a receiver can tell a repetition."""

    id: str
    url: str
    secret: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a try, in words for the delivery log; they never repeat the address, which may hold a secret."""

    is_taken: bool
    text: str


def written(message: dict[str, Any]) -> bytes:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def what_is_wrong(url: str) -> str:
    """With an address as it is written, in a word; "" when nothing is."""
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return "host"
    if parts.scheme not in SCHEMES or not is_whole:
        return "scheme"
    if "@" in parts.netloc:
        return "password"
    return "" if url.isprintable() and " " not in url else "space"


def why_forbidden(url: str) -> str:
    """Which address nothing is sent to, as far as is known now; "" where none is. What a name stands for is looked up
    again when a message is sent."""
    try:
        _resolved(url)
    except AddressRefused as error:
        return error.detail if error.code == "address_not_allowed" else ""
    return ""


def _resolved(url: str) -> Address:
    parts = urlsplit(url)
    port = parts.port or SCHEMES[parts.scheme]
    return resolve(parts.hostname or "", port, parse_allowed(settings.PULL_ALLOW))[0]


async def post(letter: Letter) -> Answer:
    """Never raises for what the receiver does. Redirects are not followed: they could lead anywhere."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            status = await _send(letter)
    except TimeoutError:
        return Answer(False, SLOW)
    except AddressRefused as error:
        return Answer(False, NOT_ALLOWED if error.code == "address_not_allowed" else UNKNOWN)
    except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, ValueError) as error:
        return Answer(False, _explained(error))
    if 300 <= status < 400:
        return Answer(False, ELSEWHERE)
    return Answer(200 <= status < 300, str(status))


async def _send(letter: Letter) -> int:
    parts = urlsplit(letter.url)
    address = await asyncio.get_running_loop().run_in_executor(None, _resolved, letter.url)
    async with httpx.AsyncClient(verify=_trust(), trust_env=False, timeout=TIMEOUT_S) as client:
        request = client.build_request(
            "POST",
            pinned(letter.url, address),
            content=letter.body,
            headers=_headers(letter) | {"Host": parts.netloc},
            extensions={"sni_hostname": parts.hostname or ""},
        )
        response = await client.send(request, stream=True, follow_redirects=False)
        await response.aclose()  # Its status says all; its body is not even read.
        return response.status_code


def _headers(letter: Letter) -> dict[str, str]:
    timestamp = int(time.time())
    return {
        "Content-Type": "application/json",
        "User-Agent": f"Omil/{settings.VERSION}",
        "webhook-id": letter.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(letter.secret, id_=letter.id, timestamp=timestamp, body=letter.body),
        "Idempotency-Key": letter.id,
    }


@cache
def _trust() -> ssl.SSLContext:
    """The authorities that the machine trusts, and those that everybody does."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.load_default_certs()
    return context


def _explained(error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return UNTRUSTED
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.ConnectError):
        return BROKEN
    return type(error).__name__
