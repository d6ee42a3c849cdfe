"""What docs/webhooks.md prints works as printed."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.instance import ROOT
from tests.workers.conftest import Submit
from tests.workers.webhooks.receiver import Receiver
from workers import tasks
from workers.told_models import Event
from workers.webhooks.outbox import TEST

pytestmark = pytest.mark.django_db(databases=["default", "owner"])
DOCS = ROOT / "docs" / "webhooks.md"
CONTENT = b"experience,education,region\n10,12,east\n"


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(), re.DOTALL)


@pytest.mark.parametrize("number", [0, 1])
def test_a_receiver_written_as_printed_verifies_messages(
    number: int, hook: Any, receiver: Receiver, run: Submit
) -> None:
    scope: dict[str, Any] = {}
    exec(blocks(DOCS, "python")[number], scope)
    job = run(CONTENT)
    tasks.deliver()
    (message,) = receiver.got
    told = scope["received"](message.body, message.headers, hook["secret"])
    assert told["data"]["id"] == job["id"]
    for body, secret in (
        (message.body + b" ", hook["secret"]),
        (message.body, "whsec_" + "A" * 44),
    ):
        with pytest.raises(Exception, match=r"not from Berth|No matching signature"):
            scope["received"](body, message.headers, secret)
    stale = {**message.headers, "webhook-timestamp": "1614265330"}
    with pytest.raises(Exception, match="too old"):
        scope["received"](message.body, stale, hook["secret"])


def test_a_message_has_the_fields_that_are_printed(
    hook: Any, receiver: Receiver, run: Submit
) -> None:
    run(CONTENT)
    tasks.deliver()
    printed, told = json.loads(blocks(DOCS, "json")[0]), json.loads(receiver.got[0].body)
    assert list(told) == list(printed)
    assert list(told["data"]) == list(printed["data"])


def test_every_event_is_named() -> None:
    text = DOCS.read_text()
    for event in (*Event.values, TEST):
        assert f"`{event}`" in text
