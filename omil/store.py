"""Where files of videos and faces lie, read from the environment: on this machine, or in an S3-compatible store."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.core.exceptions import ImproperlyConfigured

NAME, KEY, SECRET = "OMIL_STORE", "OMIL_STORE_KEY", "OMIL_STORE_SECRET"
FORM = "s3://bucket/prefix?endpoint=https://host&region=name"


@dataclass(frozen=True, slots=True)
class Store:
    """A bucket with its names' beginning; the secrets are not shown where it is written out."""

    bucket: str
    prefix: str
    endpoint: str
    region: str
    key: str = field(repr=False)
    secret: str = field(repr=False)

    @property
    def origin(self) -> str:
        """Of the signed addresses, as browsers compare it."""
        parts = urlsplit(self.endpoint)
        return f"{parts.scheme}://{parts.netloc}"


def parsed(raw: str, key: str, secret: str) -> Store | None:
    """None where files stay on this machine."""
    if not raw:
        return None
    parts = urlsplit(raw)
    asked = dict(parse_qsl(parts.query))
    if parts.scheme != "s3" or parts.fragment or set(asked) - {"endpoint", "region"}:
        raise ImproperlyConfigured(f"{NAME} must be of the form {FORM}.")
    if "@" in parts.netloc:
        raise ImproperlyConfigured(f"{NAME} holds a password: that belongs into {KEY} and {SECRET}.")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]", parts.netloc):
        raise ImproperlyConfigured(f"{NAME}: {parts.netloc!r} is no name of a bucket.")
    if not re.fullmatch(r"[A-Za-z0-9/._-]*", parts.path) or ".." in parts.path:
        raise ImproperlyConfigured(f"{NAME}: {parts.path!r} is no prefix: letters, digits, / . _ and - only.")
    for name, value in ((KEY, key), (SECRET, secret)):
        if not value:
            raise ImproperlyConfigured(f"{name} is missing: {NAME} names a store that asks for it.")
    region = asked.get("region", "us-east-1")
    endpoint = asked.get("endpoint", f"https://s3.{region}.amazonaws.com").rstrip("/")
    if not re.fullmatch(r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?", endpoint):
        raise ImproperlyConfigured(f"{NAME}: its endpoint must be https://host or http://host, not {endpoint!r}.")
    return Store(parts.netloc, parts.path.strip("/"), endpoint, region, key, secret)


def backends(store: Store | None, *, videos: Path, profiles: Path) -> dict[str, dict[str, Any]]:
    """The two entries of STORAGES."""
    folders = {"videos": videos, "profiles": profiles}
    if store is None:
        local = "recordings.stores.LocalStorage"
        return {alias: {"BACKEND": local, "OPTIONS": {"location": folder}} for alias, folder in folders.items()}
    options = {
        "access_key": store.key,
        "secret_key": store.secret,
        "bucket_name": store.bucket,
        "endpoint_url": store.endpoint,
        "region_name": store.region,
    }
    return {
        alias: {
            "BACKEND": "recordings.s3.RemoteStorage",
            "OPTIONS": {**options, "location": f"{store.prefix}/{alias}".lstrip("/")},
        }
        for alias in folders
    }
