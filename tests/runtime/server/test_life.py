"""A server's life: news while it runs, neighbours that die, its own death and a full disk."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from berth.bundle import Bundle
from tests.runtime.server.portal import ServerPortal
from tests.runtime.server.running import Server, request, serving

ONE: dict[str, list[Any]] = {"experience": [3.0], "education": [12], "region": ["east"]}
OTHERS = "0193b0f0-0000-7000-8000-000000000002"


def until(holds: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "It did not come to that."
        time.sleep(0.02)


def ids(answers: list[httpx.Response]) -> set[str]:
    return {str(answer.json()["parameters"]["prediction_id"]) for answer in answers}


def shipped(portal: ServerPortal) -> set[str]:
    return {about[0] for about, _, _ in portal.records()}


def test_a_promotion_is_served_and_the_version_before_by_its_number(
    portal: ServerPortal, folder: Path, bundles: list[Bundle]
) -> None:
    with serving(portal, folder, key=portal.issue()) as server:
        portal.promote(bundles[1], 2)
        until(lambda: server.infer(ONE).json()["model_version"] == "2")
        old = server.http.post("/v2/models/pay/versions/1/infer", json=request(ONE))
        assert (old.status_code, old.json()["model_version"]) == (200, "1")
        assert server.get("/v2/models/pay").json()["versions"] == ["1", "2"]
        portal.promote(bundles[2], 3)
        until(lambda: server.infer(ONE).json()["model_version"] == "3")
        assert server.get("/v2/models/pay/versions/1").status_code == 404
        portal.withdraw()
        server.wait_for("/v2/models/pay", 404)
        until(lambda: portal.newest_report().get("status") == "retired")


def test_a_model_that_is_not_dedicated_is_not_there(
    portal: ServerPortal, folder: Path, bundles: list[Bundle]
) -> None:
    portal.promote(bundles[0], 1, "form", architectures=["embedded"])
    with serving(portal, folder, key=portal.issue()) as server:
        assert server.get("/v2/models/form").status_code == 404
        assert server.get("/v2/models/pay").status_code == 200


def test_a_foreign_model_answers_as_one_that_is_not_there(
    portal: ServerPortal, folder: Path
) -> None:
    with serving(portal, folder, key=portal.issue(OTHERS)) as server:
        foreign, none = server.get("/v2/models/pay"), server.get("/v2/models/none")
        assert foreign.status_code == none.status_code == 404
        assert foreign.json()["error"].replace("pay", "none") == none.json()["error"]


def test_keys_count_scope_and_limits(portal: ServerPortal, folder: Path) -> None:
    reader = portal.issue(scopes=["read"])
    slow = portal.issue(calls_per_minute=6)
    with serving(portal, folder, key=slow) as server:
        assert server.infer(ONE).status_code == 200
        limited = server.infer(ONE)
        assert limited.status_code == 429
        assert int(limited.headers["retry-after"]) >= 1
        assert server.get("/v2/models/pay", headers=bearer(reader)).status_code == 403


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_a_revoked_key_is_refused_and_stays_so_without_the_portal(
    portal: ServerPortal, folder: Path
) -> None:
    revoked, kept = portal.issue(), portal.issue()
    with serving(portal, folder, key=revoked) as server:
        assert server.infer(ONE).status_code == 200
        portal.revoke(revoked)
        until(lambda: server.infer(ONE).status_code == 401, 5)
        until(lambda: b'"revoked":true' in (folder / "keys.json").read_bytes())
        assert (folder / "keys.json").stat().st_mode & 0o777 == 0o600
    portal.down()
    with serving(portal, folder, key=kept) as server:
        assert server.infer(ONE).status_code == 200
        assert server.get("/v2/models/pay", headers=bearer(revoked)).status_code == 401


def test_with_the_portal_gone_it_serves_starts_and_ships_later(
    portal: ServerPortal, folder: Path
) -> None:
    key = portal.issue()
    with serving(portal, folder, key=key) as server:
        answers = [server.infer(ONE)]
        portal.down()
        answers += [server.infer(ONE) for _ in range(20)]
        server.kill()
    with serving(portal, folder, key=key) as server:  # from its disk
        answers += [server.infer(ONE) for _ in range(20)]
        portal.up()
        until(lambda: shipped(portal) == ids(answers))
    about, asked, answered = portal.records()[0]
    assert asked == {"columns": ONE}
    assert answered["predictions"] == answers[0].json()["outputs"][0]["data"]
    assert about[3:5] == ["pay", 1]


def test_no_answer_is_lost_when_the_server_is_killed_under_load(
    portal: ServerPortal, folder: Path
) -> None:
    portal.takes = 503
    key = portal.issue()
    answers: list[httpx.Response] = []
    with serving(portal, folder, key=key) as server:
        threads = [threading.Thread(target=ask_on, args=(server, answers)) for _ in range(4)]
        for thread in threads:
            thread.start()
        until(lambda: len(answers) > 200)
        server.kill()
        for thread in threads:
            thread.join()
    assert not portal.shipped
    portal.takes = 204
    with serving(portal, folder, key=key):
        until(lambda: ids(answers) <= shipped(portal))


def ask_on(server: Server, answers: list[httpx.Response]) -> None:
    with httpx.Client(headers=server.http.headers, base_url=server.http.base_url) as client:
        try:
            while True:
                answer = client.post("/v2/models/pay/infer", json=request(ONE))
                assert answer.status_code == 200
                answers.append(answer)
        except httpx.TransportError:
            return


def test_a_file_that_the_portal_refuses_is_set_aside(portal: ServerPortal, folder: Path) -> None:
    portal.takes = 422
    with serving(portal, folder, key=portal.issue()) as server:
        refused = server.infer(ONE)
        until(lambda: any((folder / "journal").glob("*.bad")))
        portal.takes = 204
        taken = server.infer(ONE)
        until(lambda: shipped(portal) == ids([taken]))
    assert ids([refused]).isdisjoint(shipped(portal))


def test_the_end_finishes_what_is_under_way_and_ships_it(
    portal: ServerPortal, folder: Path
) -> None:
    answers: list[httpx.Response] = []
    with serving(portal, folder, key=portal.issue()) as server:
        rows = {name: ONE[name] * 10_000 for name in ONE}
        threads = [
            threading.Thread(target=lambda: answers.append(server.infer(rows))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        time.sleep(0.1)
        assert server.stop() == 0
        for thread in threads:
            thread.join()
    assert [answer.status_code for answer in answers] == [200] * 4
    assert shipped(portal) == ids(answers)


def test_a_process_that_dies_is_replaced(portal: ServerPortal, folder: Path) -> None:
    with serving(portal, folder, "--processes", "2", key=portal.issue()) as server:
        first, second = server.workers()
        os.kill(first, signal.SIGKILL)
        until(lambda: len(set(server.workers()) - {first, second}) == 1)
        server.wait_ready()
        until(lambda: "berth_processes 2" in server.metrics().text)
        assert server.infer(ONE).status_code == 200


def test_an_altered_bundle_is_not_served_and_is_brought_anew(
    portal: ServerPortal, folder: Path, bundle: Bundle
) -> None:
    key = portal.issue()
    with serving(portal, folder, key=key):
        pass
    stored = folder / "bundles" / bundle.sha256
    stored.write_bytes(bundle.data[:-1] + b"?")
    with serving(portal, folder, key=key) as server:
        first = server.infer(ONE)
        assert first.status_code in (200, 503), first.text
        until(lambda: server.infer(ONE).status_code == 200)


def test_an_answer_that_the_disk_does_not_take_is_not_given(
    portal: ServerPortal, folder: Path
) -> None:
    folder.mkdir()
    (folder / "journal").write_text("a file where the journal's folder should be")
    with serving(portal, folder, key=portal.issue()) as server:
        refused = server.infer(ONE)
        assert refused.status_code == 503
        assert "record" in refused.json()["error"]


def test_it_is_not_ready_before_it_knows_models_and_keys(
    portal: ServerPortal, folder: Path
) -> None:
    portal.down()
    options = ("--public-key", portal.public_text)
    with serving(portal, folder, *options, ready=False) as server:
        server.wait_for_any()
        assert server.get("/v2/health/live").status_code == 200
        told = server.get("/v2/health/ready")
        assert told.status_code == 503
        assert "models" in told.json()["error"]
        assert "keys" in told.json()["error"]
        portal.up()
        server.wait_ready()


def test_a_server_without_a_token_says_so(portal: ServerPortal, folder: Path) -> None:
    portal.token = ""
    with serving(portal, folder, ready=False) as server:
        assert server.process.wait(30) == 2
        assert "BERTH_TOKEN" in server.log.read_text()


def test_metrics_tell_requests_models_and_lags(portal: ServerPortal, folder: Path) -> None:
    key = portal.issue()
    with serving(portal, folder, "--metrics-key", key=key) as server:
        server.infer(ONE)
        server.get("/v2/models/none")
        assert server.metrics().status_code == 401
        assert server.metrics("sk_wrong_wrong").status_code == 401
        own = [line for line in server.metrics(key).text.splitlines() if line[0] != "#"]
        assert own
        assert all('{organisation="acme",' in line for line in own)
        told = server.metrics(portal.token).text
        assert 'berth_requests_total{route="infer",status="200"} 1' in told
        assert 'berth_requests_total{route="model",status="404"} 1' in told
        assert 'berth_predictions_total{organisation="acme",model="pay"} 1' in told
        assert 'berth_request_seconds_count{route="infer"} 1' in told
        for name in ("models_loaded_bytes", "feed_lag_seconds", "journal_waiting_bytes", "keys 1"):
            assert f"berth_{name}" in told
