"""Signs what webhooks are sent, as Standard Webhooks says (HMAC-SHA256), with a secret that is stored nowhere.

It derives from the site's key and from the webhook's own, so that a copy of the database holds none.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid

from django.utils.crypto import salted_hmac

from api.models import Webhook

PREFIX = "whsec_"
SALT = "omil.api.webhook"


def secret_of(webhook: Webhook) -> str:
    """What the receiver verifies with. Shown once; a new one is had by `renew`."""
    raw = salted_hmac(SALT, str(webhook.key), algorithm="sha256").digest()
    return PREFIX + base64.b64encode(raw).decode()


def renew(webhook: Webhook) -> str:
    """Another secret; the one before no longer signs."""
    webhook.key = uuid.uuid4()
    webhook.save(update_fields=["key"])
    return secret_of(webhook)


def signature(secret: str, *, id_: str, timestamp: int, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = hmac.new(key, f"{id_}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"
