"""A receiver on the operator's list, and a webhook that calls it."""

import dataclasses
import ipaddress
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from portal import tenancy, turns
from tests.cast import Cast
from tests.workers.webhooks.receiver import Receiver, receiving
from workers import tasks
from workers.models import Delivery


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    with receiving() as receiver:
        settings.ENV = dataclasses.replace(settings.ENV, webhook_hosts=(receiver.host,))
        yield receiver


@pytest.fixture
def hook(api: Client, receiver: Receiver) -> Any:
    """The webhook's JSON, with its secret."""
    answer = api.post("/api/v1/webhooks", {"url": receiver.url}, content_type="application/json")
    assert answer.status_code == 201, answer.content
    return answer.json()


@pytest.fixture
def deliveries(api: Client, hook: Any) -> Callable[[], list[Any]]:
    def read() -> list[Any]:
        items: list[Any] = api.get(f"/api/v1/webhooks/{hook['id']}/deliveries").json()["items"]
        return items

    return read


@pytest.fixture
def later(cast: Cast) -> Callable[..., None]:
    """Put the clock forward to the next try, and ring."""

    def go(times: int = 1) -> None:
        for _ in range(times):
            with tenancy.scope(cast.acme.pk):
                pending = Delivery.objects.filter(state=Delivery.State.PENDING)
                pending.update(due=timezone.now() - timedelta(seconds=1))
                turns.announce(turns.Kind.DELIVER)
            tasks.deliver()

    return go


@pytest.fixture(autouse=True)
def no_bell(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests ring themselves."""
    monkeypatch.setattr(turns, "ring", lambda kind: None)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of 127.0.0.1, signed by itself; with its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hooks")])
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path_factory.mktemp("tls") / "hooks.pem"
    path.write_bytes(private + made.public_bytes(pem))
    return path
