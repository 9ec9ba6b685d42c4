"""Fetches over HTTP from checked addresses: an HTTP client that resolves, checks and connects in one step. Pure.

Redirects are followed here, each checked like the first address, and the user name and password in a camera's address
are sent to its own host, port and scheme only.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit

import httpcore
import httpx

from cameras.addresses import AddressRefused, Allowed, resolve
from cameras.pull.source import Fault, Settings

MOST_REDIRECTS = 5
CODES = {401: "unauthorized", 403: "unauthorized", 404: "not_found", 410: "not_found"}


@cache  # Reading the system's certificates takes longer than anything else that an attempt does.
def _context(ca: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca:
        context.load_verify_locations(ca)
    return context


class Checked(httpcore.SyncBackend):
    """Connects to addresses that were checked, of the name that the client still uses for Host, SNI and certificate."""

    def __init__(self, allowed: Allowed) -> None:
        self._allowed = allowed

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        fault: Exception | None = None
        addresses = resolve(host, port, self._allowed)
        each_s = timeout / len(addresses) if timeout else None  # Together they take no longer than one may.
        for address in addresses:
            try:
                return super().connect_tcp(str(address), port, each_s, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                fault = error
        assert fault
        raise fault

    def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        raise AddressRefused("address_not_allowed", "unix socket")


class Transport(httpx.HTTPTransport):
    """httpx's own, with its connections made by Checked, and without any proxy."""

    def __init__(self, context: ssl.SSLContext, allowed: Allowed) -> None:
        super().__init__(verify=context, trust_env=False)
        self._pool = httpcore.ConnectionPool(
            ssl_context=context, max_connections=4, keepalive_expiry=60, network_backend=Checked(allowed)
        )


class Client:
    """One source's client; `get` streams an answer. Used as a context manager, by one thread."""

    def __init__(self, settings: Settings) -> None:
        parts = urlsplit(settings.source)
        user, has_user, host = parts.netloc.rpartition("@")
        self._url = httpx.URL(parts._replace(netloc=host, fragment="").geturl())
        name, _colon, password = user.partition(":")
        self._user = (unquote(name), unquote(password)) if has_user else None
        self._auth: httpx.Auth | None = None
        self._client = httpx.Client(
            transport=Transport(_context(settings.ca), settings.allowed),
            timeout=httpx.Timeout(settings.connect_s, read=settings.silent_s),
            headers={"User-Agent": "Omil", "Accept": "multipart/x-mixed-replace, image/jpeg, */*;q=0.5"},
            trust_env=False,
        )
        self._client.headers["Accept-Encoding"] = "identity"

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._client.close()

    @contextmanager
    def get(self) -> Iterator[httpx.Response]:
        """The answer that comes in the end, its body not read yet. Raises Fault, here and while it is read."""
        with told_as_fault():
            response = self._follow()
            try:
                if response.status_code != 200:
                    code = CODES.get(response.status_code, "http_error")
                    raise Fault(code, f"HTTP {response.status_code} {response.reason_phrase}"[:80])
                yield response
            finally:
                response.close()

    def _follow(self) -> httpx.Response:
        url = self._url
        for _redirect in range(MOST_REDIRECTS + 1):
            response = self._ask(url)
            if not response.has_redirect_location:
                return response
            response.close()
            url = url.join(response.headers["location"]).copy_with(userinfo=b"", fragment=None)
            if url.scheme not in ("http", "https") or not url.host:
                raise Fault("address_not_allowed", f"redirected to {url.scheme}:")
        raise Fault("redirect_loop", f"more than {MOST_REDIRECTS} redirects")

    def _ask(self, url: httpx.URL) -> httpx.Response:
        is_own = (url.scheme, url.host, url.port) == (self._url.scheme, self._url.host, self._url.port)
        auth = self._auth if is_own else None
        response = self._client.send(self._client.build_request("GET", url), auth=auth, stream=True)
        if response.status_code == 401 and is_own and self._user:
            kinds = response.headers.get("www-authenticate", "").lower()
            response.close()
            # Digest first: it does not give the password away.
            self._auth = httpx.DigestAuth(*self._user) if "digest" in kinds else httpx.BasicAuth(*self._user)
            response = self._client.send(self._client.build_request("GET", url), auth=self._auth, stream=True)
        return response


@contextmanager
def told_as_fault() -> Iterator[None]:
    """Turns what the client raises into the fault that it means; never repeats an address, which holds secrets."""
    try:
        yield
    except AddressRefused as error:
        raise Fault(error.code, error.detail) from None
    except httpx.ConnectTimeout:
        raise Fault("timeout", "no connection") from None
    except httpx.ReadTimeout:
        raise Fault("silent") from None
    except httpx.ConnectError as error:
        raise _of_connecting(error) from None
    except (httpx.ReadError, httpx.WriteError, httpx.CloseError):
        raise Fault("ended", "the connection broke") from None
    except httpx.RemoteProtocolError as error:
        is_cut = "disconnected" in str(error) or "closed" in str(error)
        raise Fault("ended" if is_cut else "http_error", "" if is_cut else "no HTTP") from None
    except httpx.TimeoutException:
        raise Fault("timeout") from None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise Fault("http_error", type(error).__name__) from None


def _of_connecting(error: BaseException) -> Fault:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Fault("certificate", cause.verify_message)
        if isinstance(cause, ssl.SSLError):
            return Fault("certificate", cause.reason or "no TLS")
        if isinstance(cause, ConnectionRefusedError):
            return Fault("refused")
        if isinstance(cause, OSError) and cause.strerror:
            return Fault("timeout", cause.strerror)
        cause = cause.__cause__ or cause.__context__
    return Fault("timeout")
