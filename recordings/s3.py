"""Files in an S3-compatible store: private objects, overwritten whole, and the errors of a disk."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files import File
from django.utils import timezone
from django.utils.http import content_disposition_header
from s3transfer.exceptions import RetriesExceededError
from storages.backends.s3 import S3File, S3Storage
from storages.utils import clean_name

from recordings.stores import Problem, StoreError

SIGNED_S = 300  # How long an address is good.
CONNECT_S, ANSWER_S = 3, 20
KNOWN_S = 5.0
LEFT_AFTER = timedelta(days=1)  # An upload in parts that was begun so long ago goes on no more.
MEMORY_BYTES = 8_000_000  # A larger file that is read goes through a temporary one.
NOT_THERE = {"404", "NoSuchKey", "NotFound"}
PROBLEMS: dict[str, Problem] = {
    "InvalidAccessKeyId": "key",
    "SignatureDoesNotMatch": "secret",
    "NoSuchBucket": "no_bucket",
}


@contextmanager
def _as_a_disk(name: str) -> Iterator[None]:
    """The store's errors as FileNotFoundError and StoreError; nothing of an address or a key is in them."""
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in NOT_THERE:
            raise FileNotFoundError(f"{name} is not in the store.") from None
        raise StoreError(f"{name}: the store answers {code or 'with an error'}.") from None
    except (BotoCoreError, Boto3Error, RetriesExceededError) as error:
        raise StoreError(f"{name}: the store cannot be reached ({type(error).__name__}).") from None


class RemoteFile(S3File):  # type: ignore[misc]  # It has no types.
    """Read as it is needed: the first byte fetches it."""

    def _get_file(self) -> Any:
        with _as_a_disk(self.name):
            return super()._get_file()

    file = property(_get_file, S3File._set_file)


class RemoteStorage(S3Storage):  # type: ignore[misc]
    """One connection pool for all threads of a process."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.label = f"s3://{self.bucket_name}/{self.location} at {self.endpoint_url}"
        self._lock = threading.Lock()
        self._shared: tuple[int, Any] = (0, None)
        self._known: tuple[float, Problem] = (-KNOWN_S, "")

    def get_default_settings(self) -> dict[str, Any]:
        """None of what the environment says to other programs about other stores."""
        config = Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            connect_timeout=CONNECT_S,
            read_timeout=ANSWER_S,
            retries={"total_max_attempts": 2, "mode": "standard"},
            # Else stores that are not Amazon's refuse what they do not know.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        return {
            **super().get_default_settings(),
            "security_token": None,
            "session_profile": None,
            "default_acl": None,  # As the bucket says, which is private unless somebody opened it.
            "querystring_auth": True,
            "querystring_expire": SIGNED_S,
            "file_overwrite": True,
            "max_memory_size": MEMORY_BYTES,
            "client_config": config,
            "transfer_config": TransferConfig(max_concurrency=2),
        }

    @property
    def connection(self) -> Any:
        with self._lock:
            pid, shared = self._shared
            if shared is None or pid != os.getpid():
                shared = super().connection
                self._shared = (os.getpid(), shared)
            return shared

    def _key(self, name: str) -> str:
        return str(self._normalize_name(clean_name(name)))

    def _open(self, name: str, mode: str = "rb") -> RemoteFile:
        with _as_a_disk(name):
            return RemoteFile(self._key(name), mode, self)

    def _save(self, name: str, content: File) -> str:  # type: ignore[type-arg]  # Generic to the stubs only.
        with _as_a_disk(name):
            return str(super()._save(name, content))

    def delete(self, name: str) -> None:
        with _as_a_disk(name):
            super().delete(name)

    def exists(self, name: str) -> bool:
        with _as_a_disk(name):
            return bool(super().exists(name))

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        with _as_a_disk(path):
            folders, files = super().listdir(path)
            return folders, files

    def size(self, name: str) -> int:
        with _as_a_disk(name):
            return int(self.bucket.Object(self._key(name)).content_length)

    def get_modified_time(self, name: str) -> datetime:
        with _as_a_disk(name):
            found = super().get_modified_time(name)
            assert isinstance(found, datetime)
            return found

    # --- What a disk has not ---

    def signed(self, name: str, *, kind: str, download_as: str = "", method: str = "GET") -> str:
        shown = content_disposition_header(True, download_as) if download_as else "inline"
        told = {"ResponseContentType": kind, "ResponseContentDisposition": shown, "ResponseCacheControl": "private"}
        with _as_a_disk(name):
            return str(self.url(name, parameters=told, expire=SIGNED_S, http_method=method))

    def fetch(self, name: str, path: Path) -> None:
        with _as_a_disk(name):
            self.bucket.Object(self._key(name)).download_file(str(path), Config=self.transfer_config)

    def problem(self) -> Problem:
        at, known = self._known
        if not 0 <= time.monotonic() - at < KNOWN_S:
            known = self._look()
            self._known = (time.monotonic(), known)
        return known

    def _look(self) -> Problem:
        try:
            self.connection.meta.client.list_objects_v2(Bucket=self.bucket_name, Prefix=self.location, MaxKeys=1)
        except ClientError as error:
            if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) >= 500:
                return "away"
            return PROBLEMS.get(str(error.response.get("Error", {}).get("Code", "")), "denied")
        except BotoCoreError:
            return "away"
        return ""

    def tidy(self) -> None:
        client = self.connection.meta.client
        with _as_a_disk(self.location):
            pages = client.get_paginator("list_multipart_uploads")
            for page in pages.paginate(Bucket=self.bucket_name, Prefix=f"{self.location}/"):
                for begun in page.get("Uploads", ()):
                    if timezone.now() - begun["Initiated"] > LEFT_AFTER:
                        client.abort_multipart_upload(
                            Bucket=self.bucket_name, Key=begun["Key"], UploadId=begun["UploadId"]
                        )
