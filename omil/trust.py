"""The page that hands out the local authority's certificate: a small ASGI application for plain HTTP, and nothing else.

`manage.py trust` serves it; a device that trusts the certificate then reaches the site itself over HTTPS.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import get_supported_language_variant
from django.utils.translation.trans_real import parse_accept_lang_header

from omil import authority

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

CERTIFICATE_PATH = "/omil-authority.crt"
LANGUAGES = ("en", "ko")
NOTHING = "default-src 'none'"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    content_type: str
    body: bytes
    policy: str = NOTHING


class TrustPage:
    """Every answer is made at the start: no request reaches a template, a file or the database."""

    def __init__(self, certificate: x509.Certificate) -> None:
        pages = {language: page(language, certificate) for language in LANGUAGES}
        self.answers = {("/", language): answer for language, answer in pages.items()}
        self.answers |= {(f"/{language}", ""): answer for language, answer in pages.items()}
        self.answers[CERTIFICATE_PATH, ""] = Answer(
            200, "application/x-x509-ca-cert", certificate.public_bytes(authority.PEM)
        )

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        elif scope["type"] == "http":
            answer = self.answer(scope["method"], scope["path"], dict(scope["headers"]).get(b"accept-language", b""))
            await send({"type": "http.response.start", "status": answer.status, "headers": headers(answer)})
            body = b"" if scope["method"] == "HEAD" else answer.body
            await send({"type": "http.response.body", "body": body})

    def answer(self, method: str, path: str, accepted: bytes) -> Answer:
        if method not in {"GET", "HEAD"}:
            return Answer(405, "text/plain; charset=utf-8", b"Method not allowed\n")
        found = self.answers.get((path, "")) or self.answers.get((path, preferred(accepted)))
        return found or Answer(404, "text/plain; charset=utf-8", b"Not found\n")


def page(language: str, certificate: x509.Certificate) -> Answer:
    with translation.override(language):
        text = render_to_string(
            "omil/trust.html",
            {
                "addresses": settings.SITE_URLS,
                "certificate_path": CERTIFICATE_PATH,
                "fingerprint": authority.fingerprint(certificate),
                "language": language,
                "until": certificate.not_valid_after_utc,
            },
        )
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = f"{NOTHING}; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return Answer(200, "text/html; charset=utf-8", text.encode(), policy)


def preferred(accepted: bytes) -> str:
    """The language of an Accept-Language header that the page has; English where it has none of them."""
    for code, _weight in parse_accept_lang_header(accepted.decode("latin1").lower()):
        try:
            return get_supported_language_variant(code)
        except LookupError:
            continue
    return "en"


def headers(answer: Answer) -> list[tuple[bytes, bytes]]:
    named = {
        "content-type": answer.content_type,
        "content-length": str(len(answer.body)),
        "content-security-policy": answer.policy,
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cache-control": "no-store",
        **({"allow": "GET, HEAD"} if answer.status == 405 else {}),
        **({"vary": "Accept-Language"} if answer.content_type.startswith("text/html") else {}),
    }
    return [(name.encode(), value.encode()) for name, value in named.items()]
