"""A receiver on the operator's list, and a webhook that calls it."""

import dataclasses
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from portal import tenancy, turns
from tests.cast import Cast
from tests.certificates import self_signed
from tests.workers.webhooks.receiver import Receiver, receiving
from workers import tasks
from workers.models import Delivery


@pytest.fixture(autouse=True)
def quiet(no_bell: None) -> None:
    """Nobody else sends what the tests send."""


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


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of 127.0.0.1, signed by itself; with its key in one file."""
    path = tmp_path_factory.mktemp("tls") / "hooks.pem"
    path.write_bytes(self_signed())
    return path
