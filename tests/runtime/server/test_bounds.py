"""What a request may make a server keep, and texts that are longer than any that mean something."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from berth.bundle import Bundle
from berth.keys import digest, new_secret
from berth.loaded import Loaded
from berth.predictor import Predictor
from berth.server import app, batching, bodies, routes, tensors
from berth.server.errors import ProtocolError
from berth.server.keyring import KeyRing
from berth.server.metrics import Metrics


@dataclass
class Asked:
    """A call that was read."""

    columns: dict[str, list[Any]]


ONE: dict[str, list[Any]] = {"experience": [3.0], "education": [12], "region": ["east"]}


def test_a_path_longer_than_any_of_ours_is_not_kept() -> None:
    before = routes._found.cache_info().currsize
    with pytest.raises(ProtocolError) as caught:
        routes.find("/v2/models/" + "a" * 600)
    assert caught.value.status == 404
    assert routes._found.cache_info().currsize == before


def key_document(text: str, id_: str, **change: Any) -> dict[str, Any]:
    return {
        "key": id_,
        "organisation": "acme",
        "organisation_id": "0193b0f0-0000-7000-8000-000000000001",
        "kind": "secret",
        "digest": digest(text),
        "scopes": ["predict"],
        "calls_per_minute": 10,
        "organisation_calls_per_minute": 10,
        "revoked": False,
        **change,
    }


def test_a_key_is_remembered_once_however_its_header_is_spaced(tmp_path: Path) -> None:
    ring, (id_, text) = KeyRing(tmp_path / "keys.json"), new_secret()
    ring.apply(1, key_document(text, id_))
    for spaces in range(1, 9):
        ring.find("Bearer" + " " * spaces + text)
    assert len(ring._verified) == 1
    with pytest.raises(ProtocolError) as caught:
        ring.find("Bearer " + " " * 300 + text)
    assert caught.value.status == 401


def test_a_digest_that_is_no_ascii_is_no_key(tmp_path: Path) -> None:
    ring, (id_, text) = KeyRing(tmp_path / "keys.json"), new_secret()
    ring.apply(1, key_document(text, id_, digest="é"))
    with pytest.raises(ProtocolError) as caught:
        ring.find(f"Bearer {text}")
    assert caught.value.status == 401


@pytest.mark.parametrize("datatype", [["FP64"], {}, None, 7])
def test_a_datatype_that_is_no_text_is_refused(datatype: object) -> None:
    tensor = {"name": "experience", "shape": [1], "datatype": datatype, "data": [3.0]}
    with pytest.raises(ProtocolError) as caught:
        tensors.read(orjson.dumps({"inputs": [tensor]}), None)
    assert caught.value.status == 400


def test_a_length_of_thousands_of_digits_is_refused() -> None:
    with pytest.raises(ProtocolError) as caught:
        tensors.read(b"{}", "1" * 5_000)
    assert caught.value.status == 400


def test_a_content_type_is_compared_without_regard_to_case() -> None:
    bodies._check_type("Application/JSON; charset=utf-8")


def predictions_of(calls: Sequence[tuple[Any, batching.Predicted]]) -> list[batching.Predicted]:
    return [predicted for _, predicted in calls]


def test_what_fails_together_is_answered_one_by_one(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = Predictor(bundle)
    alone = predictor.predict

    def only_one(columns: Any) -> Any:
        if len(next(iter(columns.values()))) > 1:
            raise MemoryError
        return alone(columns)

    monkeypatch.setattr(predictor, "predict", only_one)

    async def ask() -> list[batching.Predicted]:
        batches = batching.Batches(predictions_of)
        asked = [batches.answer(predictor, Asked(ONE)) for _ in range(3)]
        return await asyncio.wait_for(asyncio.gather(*asked), 20)

    assert [answer.rows for answer in asyncio.run(ask())] == [1, 1, 1]


def test_others_have_their_turn_between_two_runs(bundle: Bundle) -> None:
    ran: list[int] = []
    seen: list[int] = []

    def finish(calls: Sequence[tuple[Any, batching.Predicted]]) -> list[batching.Predicted]:
        ran.append(len(calls))
        return predictions_of(calls)

    async def ask() -> None:
        batches, predictor = batching.Batches(finish), Predictor(bundle)
        waiting = [asyncio.ensure_future(batches.answer(predictor, Asked(ONE))) for _ in range(64)]
        while not ran:
            await asyncio.sleep(0)
        seen.extend(ran)
        await asyncio.gather(*waiting)

    asyncio.run(ask())
    assert (seen, ran) == ([32], [32, 32])


def test_calls_that_cannot_be_put_on_record_together_are_told_so_one_by_one(
    bundle: Bundle,
) -> None:
    def finish(calls: Sequence[tuple[Any, batching.Predicted]]) -> list[batching.Predicted]:
        if len(calls) > 1 or calls[0][0].columns is not ONE:
            raise OSError("full")
        return predictions_of(calls)

    async def ask() -> list[Any]:
        batches, predictor = batching.Batches(finish), Predictor(bundle)
        asked = [batches.answer(predictor, Asked(columns)) for columns in (ONE, dict(ONE))]
        return await asyncio.gather(*asked, return_exceptions=True)

    first, second = asyncio.run(ask())
    assert first.rows == 1
    assert isinstance(second, OSError)


def test_metrics_show_an_organisation_its_own_figures_alone(tmp_path: Path) -> None:
    figures = Metrics(tmp_path, lambda: {"berth_models": 2.0})
    figures.predicted("acme", "pay", 3)
    figures.predicted("acme-two", "secret", 5)
    assert "secret" in figures.text()
    own = figures.text("acme")
    assert 'berth_predicted_rows_total{organisation="acme",model="pay"} 3' in own
    assert "secret" not in own
    assert "berth_models" not in own


class Asking:
    """The part of a request that says who asks."""

    method, path = "GET", "/metrics"

    def __init__(self, client: str, **headers: str) -> None:
        self.client = client
        self.headers: bodies.Headers = httpx.Headers(headers)


@pytest.mark.parametrize(
    ("client", "headers", "local"),
    [
        ("127.0.0.1:5", {}, True),
        ("[::1]:5", {}, True),
        ("10.0.0.7:5", {}, False),
        ("127.0.0.1:5", {"x-forwarded-for": "10.0.0.7"}, False),
        ("", {}, False),
    ],
)
def test_only_this_machine_itself_is_the_operator_without_a_token(
    client: str, headers: dict[str, str], local: bool
) -> None:
    assert app._is_local(Asking(client, **headers)) is local


def test_a_model_that_was_slow_is_not_waited_for_in_the_loop(bundle: Bundle) -> None:
    predictor = Predictor(bundle)
    assert batching.is_quick(predictor, ONE)
    predictor.row_seconds.add(0.1)
    assert not batching.is_quick(predictor, ONE)
    for _ in range(100):
        predictor.row_seconds.add(0.00001)
    assert batching.is_quick(predictor, ONE)


class Weight:
    nbytes = 1


def test_a_failed_load_leaves_nothing_and_a_put_lets_nobody_else_load() -> None:
    loaded: Loaded[str, Weight] = Loaded(10)
    with pytest.raises(OSError, match="gone"):
        loaded.get("a", _fail)
    assert not loaded._turns

    def load() -> Weight:
        loaded.put("b", Weight())
        assert loaded._turns["b"].lock.locked()
        return Weight()

    loaded.get("b", load)
    assert not loaded._turns


def _fail() -> Weight:
    raise OSError("gone")
