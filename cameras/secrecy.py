"""A text that the database holds encrypted: cameras' addresses, for there are passwords in them.

The key is kept beside the database and not in it: a copy of the database alone gives nothing away.
"""

from __future__ import annotations

import base64
import hashlib
import logging
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.core.exceptions import FieldError
from django.core.validators import MaxLengthValidator
from django.db import models

logger = logging.getLogger(__name__)

MARK = "fernet:"
# What is read where the key is another: no address, so nothing is pulled, and the admin's form asks for it anew.
UNREADABLE = "unreadable:"


@lru_cache(maxsize=8)
def _fernet(secret: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(secret.encode()).digest()))


def encrypt(text: str) -> str:
    """Empty stays empty, for the database tells cameras by whether they have an address."""
    if not text or text.startswith(MARK):
        return text
    return MARK + _fernet(settings.SOURCE_KEY).encrypt(text.encode()).decode()


def decrypt(text: str) -> str:
    """What is not encrypted comes back as it is."""
    return _decrypt(text, settings.SOURCE_KEY) if text.startswith(MARK) else text


@lru_cache(maxsize=1_024)  # A page of many cameras reads each of them.
def _decrypt(text: str, secret: str) -> str:
    try:
        return _fernet(secret).decrypt(text.removeprefix(MARK).encode()).decode()
    except InvalidToken:
        logger.error("A camera's address cannot be read: it was encrypted with another key than OMIL_SOURCE_KEY.")
        return UNREADABLE


class EncryptedField(models.TextField):  # type: ignore[type-arg]  # Generic to the stubs only.
    """Encrypted in the database and plain in Python. It can be compared with the empty text and with nothing else."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.max_length is not None:
            self.validators = [*self.validators, MaxLengthValidator(self.max_length)]

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        return None if value is None else decrypt(value)

    def get_prep_value(self, value: Any) -> Any:
        text = super().get_prep_value(value)
        return encrypt(text) if isinstance(text, str) else text

    def get_lookup(self, lookup_name: str) -> Any:
        """Every encryption of a text is another: only what is empty can be asked for."""
        if lookup_name not in ("exact", "isnull"):
            raise FieldError("An encrypted text cannot be searched.")
        return super().get_lookup(lookup_name)

    def value_to_string(self, obj: Any) -> str:
        """A dump holds it encrypted, too."""
        return encrypt(self.value_from_object(obj))

    def formfield(self, **kwargs: Any) -> Any:
        """One line, as for a short text."""
        from django.forms import CharField, TextInput

        return super().formfield(**{"form_class": CharField, "widget": TextInput, **kwargs})
