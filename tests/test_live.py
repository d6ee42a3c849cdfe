"""A whole Berth from the outside, under load, while parts of it are killed."""

import os
import select
import signal
import socket
import threading
import time
from contextlib import ExitStack, suppress
from typing import Any

import httpx
import numpy as np
import pytest

from portal.waiting import MOST_EACH
from tests.instance import Instance, wait_for
from tests.models_hub import zoo
from tests.outside import Outsider
from tests.pipelines import CPS_NUMBERS, CPS_TEXTS, cps, wages

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def outsider(instance: Instance) -> Outsider:
    """A customer with a live model “wage” of two ready versions."""
    made = instance.create_organisation("live", "live@acme.example")
    outsider = Outsider(instance.base_url, made["secret_key"])
    outsider.post("/models", 201, json={"slug": "wage", "name": "Wage"})
    for _ in range(2):
        version = outsider.upload("wage", wages().skops, wages().sample, "wage")
        assert version["status"] == "ready", version["refusal"]
    outsider.post("/models/wage/versions/1/promote")
    return outsider


class Load:
    """Four clients that ask without a pause, each on its own connection, and keep a diary."""

    def __init__(self, outsider: Outsider, clients: int = 4) -> None:
        self.outsider = outsider
        self.answers: list[tuple[float, dict[str, Any]]] = []
        self.failures: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def _ask(self) -> None:
        row = wages().instances(1)
        headers = dict(self.outsider.client.headers)
        with httpx.Client(base_url=self.outsider.base_url, headers=headers) as client:
            while not self._stop.is_set():
                try:
                    answer = client.post("/api/v1/models/wage/predict", json={"instances": row})
                except httpx.TransportError as error:
                    self.failures.append(repr(error))
                    continue
                if answer.status_code == 200:
                    self.answers.append((time.monotonic(), answer.json()))
                else:
                    self.failures.append(answer.text)

    def wait(self, more: int) -> None:
        """Until so many more answers have come."""
        wanted = len(self.answers) + more
        wait_for(lambda: len(self.answers) >= wanted, 60, "answers come")

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def test_a_promotion_reaches_every_web_process_without_one_failed_request(
    outsider: Outsider,
) -> None:
    with Load(outsider) as load:
        load.wait(50)
        outsider.post("/models/wage/versions/2/promote")
        promoted = time.monotonic()
        time.sleep(3)
        outsider.post("/models/wage/rollback")
        rolled_back = time.monotonic()
        time.sleep(3)
    assert not load.failures
    assert {a["version"] for at, a in load.answers if promoted + 2 < at < rolled_back} == {2}
    assert {a["version"] for at, a in load.answers if at > rolled_back + 2} == {1}


def test_kill_9_of_a_web_process_right_after_an_answer_loses_no_record(
    instance: Instance, outsider: Outsider
) -> None:
    with Load(outsider) as load:
        for _ in range(2):
            load.wait(30)
            os.kill(instance.web_workers()[0], signal.SIGKILL)
    answered = [answer["id"] for _, answer in load.answers]
    assert len(set(answered)) == len(answered)
    missing = set(answered)

    def all_found() -> bool:
        with suppress(httpx.TransportError):  # the killed ones are just coming back
            for prediction in list(missing):
                if outsider.client.get(f"/predictions/{prediction}").status_code == 200:
                    missing.discard(prediction)
        return not missing

    wait_for(all_found, 60, "every answered call is on record")


def raw(outsider: Outsider, request: str) -> socket.socket:
    """A connection on which ``request`` was sent, with the customer's key."""
    key = outsider.client.headers["Authorization"]
    connection = socket.create_connection(("127.0.0.1", httpx.URL(outsider.base_url).port or 0))
    line, _, rest = request.partition("\r\n")
    connection.sendall(f"{line}\r\nHost: localhost\r\nAuthorization: {key}\r\n{rest}".encode())
    return connection


def test_waiting_polls_and_slow_senders_leave_room_for_predictions(outsider: Outsider) -> None:
    after = outsider.get("/feed", limit=1000)["next"]
    poll = f"GET /api/v1/feed?after={after}&wait=30 HTTP/1.1\r\nConnection: close\r\n\r\n"
    slow = "POST /api/v1/models/wage/predict HTTP/1.1\r\nContent-Type: application/json\r\n"
    slow += 'Content-Length: 900\r\n\r\n{"instances"'
    with ExitStack() as stack:
        polls = [stack.enter_context(raw(outsider, poll)) for _ in range(MOST_EACH)]
        senders = [stack.enter_context(raw(outsider, slow)) for _ in range(50)]
        row = wages().instances(1)
        for _ in range(30):
            outsider.post("/models/wage/predict", json={"instances": row})
        assert select.select([*polls, *senders], [], [], 0)[0] == []
        live = outsider.get("/models/wage")["live_version"]
        outsider.post(f"/models/wage/versions/{3 - live}/promote")
        for waiting in polls:
            waiting.settimeout(60)
            with waiting.makefile("rb") as answer:
                assert b"200" in answer.readline()
                assert any(b'"promoted"' in line for line in answer)


@pytest.mark.skipif(not zoo.CPS.exists(), reason="the wage data of ../shared/data is not there")
def test_real_wages_from_upload_to_the_last_row_of_a_job(instance: Instance) -> None:
    """28,155 people: live answers and a job's rows equal scikit-learn's own."""
    made = instance.create_organisation("cps", "cps@acme.example")
    outsider = Outsider(instance.base_url, made["secret_key"])
    outsider.post("/models", 201, json={"slug": "cps", "name": "CPS 1988"})
    version = outsider.upload("cps", cps().skops, cps().sample, "wage")
    assert version["status"] == "ready", version["refusal"]
    assert version["report"]["parity"]["rows"] >= 500
    outsider.post("/models/cps/versions/1/promote")
    instances = cps().instances(len(cps().rows))
    expected = cps().pipeline.predict(cps().rows)
    live: list[float] = []
    for start in range(0, len(instances), 10_000):
        live += outsider.predict("cps", instances[start : start + 10_000])["predictions"]
    np.testing.assert_allclose(live, expected, rtol=1e-5)

    table = cps().rows[CPS_NUMBERS + CPS_TEXTS].to_csv(index_label="id").encode()
    files = {"file": ("people.csv", table)}
    job = outsider.post("/models/cps/jobs", 202, files=files, data={"key": "id"})
    job = outsider.wait(f"/jobs/{job['id']}", "queued", "running")
    assert (job["status"], job["rows_done"], job["rows_failed"]) == ("succeeded", 28_155, 0)
    rows: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        page = outsider.get(f"/jobs/{job['id']}/rows", limit=1000, cursor=cursor)
        rows, cursor = rows + page["items"], page["next"]
    assert [row["key"] for row in rows] == [str(number) for number in range(28_155)]
    np.testing.assert_allclose([row["prediction"] for row in rows], expected, rtol=1e-5)
