"""Secrets and signatures of webhooks, after Standard Webhooks 1.0 (standardwebhooks.com).

Nothing secret is stored: an endpoint's secret is derived from SECRET_KEY, the endpoint's id and
its serial, so rotating is counting one up. Who changes SECRET_KEY changes every secret.
"""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

from django.conf import settings
from standardwebhooks import Webhook

from workers.models import Delivery, Endpoint

OVERLAP = timedelta(hours=24)
AGENT = "Berth-Webhooks/1"


def secret_of(endpoint: Endpoint, serial: int | None = None) -> str:
    """``whsec_`` and 32 bytes in base64: what the receiver verifies with."""
    name = f"berth: webhook {endpoint.pk} {serial or endpoint.serial}"
    key = hmac.digest(settings.SECRET_KEY.encode(), name.encode(), hashlib.sha256)
    return f"whsec_{base64.b64encode(key).decode()}"


def secrets_of(endpoint: Endpoint, at: datetime) -> list[str]:
    """Those that are valid: the present one, and for OVERLAP the one before."""
    found = [secret_of(endpoint)]
    if endpoint.rotated is not None and endpoint.serial > 1 and at - endpoint.rotated < OVERLAP:
        found.append(secret_of(endpoint, endpoint.serial - 1))
    return found


def headers_of(delivery: Delivery, at: datetime) -> dict[str, str]:
    """The headers of a try that is made at ``at``. The id is the same at each try."""
    message = f"msg_{delivery.pk.hex}"
    at = at.astimezone(UTC)
    signatures = [
        Webhook(secret).sign(message, at, delivery.body)
        for secret in secrets_of(delivery.endpoint, at)
    ]
    return {
        "Content-Type": "application/json",
        "User-Agent": AGENT,
        "webhook-id": message,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
