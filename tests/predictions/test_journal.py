"""The journal: nothing answered is lost, nothing is loaded twice."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import UUID

import orjson
import pytest
import uuid_utils
from django.test import Client

from berth.journal import SEPARATOR, Journal, records_of
from portal import tenancy
from predictions import answering, loading, records
from predictions.loading import load, load_all
from predictions.models import JournalFile, Prediction
from tests.cast import Cast
from tests.predictions.conftest import Ask

pytestmark = pytest.mark.django_db(databases=["default", "owner"])
ROW = {"education": 12, "experience": 10.5, "city": "Oslo", "level": "senior"}


def count(cast: Cast) -> int:
    with tenancy.scope(cast.acme.pk):
        return Prediction.objects.count()


def test_what_was_answered_is_found_by_its_id(ask: Ask, api: Client, journal: Journal) -> None:
    answered = ask({"instances": [ROW, ROW]}).json()
    journal.close()
    assert load_all(journal.folder) == 1
    found = api.get(f"/api/v1/predictions/{answered['id']}")
    assert found.status_code == 200
    record = found.json()
    assert record["response"] == answered
    assert record["request"] == {"instances": [ROW, ROW]}
    assert (record["id"], record["model"], record["version"]) == (answered["id"], "wages", 1)
    assert (record["rows"], record["source"][:3]) == (2, "sk_")
    assert record["milliseconds"] > 0
    assert not list(journal.folder.iterdir())


def test_another_organisations_prediction_does_not_exist(
    ask: Ask, cast: Cast, journal: Journal
) -> None:
    answered = ask({"instances": [ROW]}).json()
    journal.close()
    load_all(journal.folder)
    address = f"/api/v1/predictions/{answered['id']}"
    assert cast.api(organisation=cast.other).get(address).status_code == 404
    assert cast.api("predict").get(address).status_code == 403


def test_a_call_that_was_refused_leaves_no_record(ask: Ask, journal: Journal) -> None:
    assert ask({"instances": [{"education": "x"}]}).status_code == 422
    journal.close()
    assert load_all(journal.folder) == 0


def test_loading_twice_is_loading_once(ask: Ask, cast: Cast, journal: Journal) -> None:
    for _ in range(3):
        ask({"instances": [ROW]})
    journal.close()
    (path,) = journal.folder.iterdir()
    data = path.read_bytes()
    assert load(path) == 3
    path.write_bytes(data)
    assert load(path) == 3
    assert count(cast) == 3
    assert JournalFile.objects.get().records == 3


def test_a_torn_tail_is_left_out_and_counted(ask: Ask, cast: Cast, journal: Journal) -> None:
    ask({"instances": [ROW]})
    ask({"instances": [ROW]})
    journal.close()
    (path,) = journal.folder.iterdir()
    path.write_bytes(path.read_bytes()[:-20])
    assert load(path) == 1
    assert count(cast) == 1
    assert (JournalFile.objects.get().records, JournalFile.objects.get().torn) == (1, 1)


@pytest.mark.parametrize("cut", [0, 1, 5, 9, 10])
def test_records_end_where_the_first_broken_one_begins(tmp_path: Path, cut: int) -> None:
    journal = Journal(tmp_path)
    journal.append(b'{"a": 1}')
    journal.append(b'{"b": 2}')
    journal.close()
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    assert records_of(whole) == ([b'{"a": 1}', b'{"b": 2}'], 0, 0)
    assert records_of(whole[: first + cut]) == ([b'{"a": 1}'], int(cut > 0), 0)
    altered = whole.replace(b"2", b"3")
    if altered.count(b"\n") == 2 and altered[:first] == whole[:first]:
        assert records_of(altered) == ([b'{"a": 1}'], 0, 1)


def test_a_body_of_many_lines_is_one_record(ask: Ask, cast: Cast, journal: Journal) -> None:
    pretty = json.dumps({"instances": [ROW]}, indent=2).encode()
    answered = [ask(pretty), ask({"instances": [ROW]})]
    assert [response.status_code for response in answered] == [200, 200]
    journal.close()
    assert load_all(journal.folder) == 2
    assert count(cast) == 2


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_it_refuses_json_that_is_not_plain_utf_8(ask: Ask, journal: Journal, encoding: str) -> None:
    body = json.dumps({"instances": [ROW]}).encode(encoding)
    refused = ask(body)
    assert (refused.status_code, refused.json()["type"]) == (400, "/api/problems/bad_json")
    assert not list(journal.folder.glob("*"))


def test_a_record_that_cannot_be_kept_stands_in_nobodys_way(
    ask: Ask, cast: Cast, journal: Journal
) -> None:
    answered = ask({"instances": [ROW]}).json()
    (path,) = journal.folder.iterdir()
    (good,), _, _ = records_of(path.read_bytes())
    other = good.replace(answered["id"].encode(), str(uuid_utils.uuid7()).encode())
    journal.append(b"\xff")
    journal.append(other.replace(b'"wages",1,', b'"wages",99999999999,'))  # no version's number
    journal.append(b'{"id": 1}')
    journal.close()
    ask({"instances": [ROW]})
    journal.close()
    assert load_all(journal.folder) == 2
    assert count(cast) == 2
    (bad,) = journal.folder.iterdir()
    assert bad.suffix == ".bad"
    assert load_all(journal.folder) == 0


def test_a_head_that_no_server_writes_costs_no_other_record(cast: Cast, tmp_path: Path) -> None:
    good = [str(UUID(int=1)), str(cast.acme.pk), "2026-01-02T03:04:05Z", "m", 1, "sk_x", 1, 0.5]
    wrong: dict[int, list[object]] = {
        0: [7, "x"],
        1: [None],
        2: ["2026-01-02T03:04:05", "9999-01-01T00:00:00Z", 1],
        3: [{"a": 1}, "m" * 64, "\0"],
        4: [-1, 2**31, 1.5, True],
        5: [["sk_x"], "s" * 33],
        6: [-1, {}],
        7: ["NaN", {}, None],
    }
    bad = [[*good[:at], v, *good[at + 1 :]] for at, values in wrong.items() for v in values]
    journal = Journal(tmp_path)
    for head in [*bad, good[:7], [*good, 1], good]:
        head = [str(uuid_utils.uuid7()), *head[1:]] if head[0] == good[0] else head
        journal.append(SEPARATOR.join((orjson.dumps(head), b"{}", b"{}")))
    journal.close()
    assert load_all(tmp_path) == 1
    assert count(cast) == 1
    assert [left.suffix for left in tmp_path.iterdir()] == [".bad"]


def test_a_file_that_fails_keeps_no_other_waiting(
    ask: Ask, cast: Cast, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask({"instances": [ROW]})
    journal.close()
    first = journal.folder / f"{UUID(int=0)}.ready"
    first.write_bytes(b"no journal\n")
    fine = records_of

    def failing(data: bytes) -> tuple[list[bytes], int, int]:
        return fine(data) if data != b"no journal\n" else fine(data + None)  # type: ignore[operator]  # fails

    monkeypatch.setattr(loading, "records_of", failing)
    assert load_all(journal.folder) == 1
    assert [left.name for left in journal.folder.iterdir()] == [f"{first.stem}.bad"]


def test_what_the_table_refuses_costs_the_one_record_alone(
    ask: Ask, cast: Cast, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask({"instances": [ROW]})
    ask({"instances": [ROW, ROW]})
    journal.close()
    monkeypatch.setattr(  # as a table with one more constraint than the loader knows
        loading, "read", lambda record: (r := records.read(record))._replace(rows=1 - r.rows)
    )
    assert load_all(journal.folder) == 1
    assert count(cast) == 1


def test_damage_in_the_middle_costs_nothing_behind_it(
    ask: Ask, cast: Cast, journal: Journal
) -> None:
    for _ in range(3):
        ask({"instances": [ROW]})
    journal.close()
    (path,) = journal.folder.iterdir()
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1].replace(b"Oslo", b"Olso") + lines[2])
    assert load(path) == 2
    assert count(cast) == 2
    assert [left.suffix for left in journal.folder.iterdir()] == [".bad"]


def test_a_file_in_use_is_left_alone(ask: Ask, journal: Journal) -> None:
    ask({"instances": [ROW]})
    assert load_all(journal.folder) == 0
    assert len(list(journal.folder.iterdir())) == 1


def test_a_timer_hands_a_quiet_journal_over(tmp_path: Path) -> None:
    journal = Journal(tmp_path, most_seconds=0.1, sync_seconds=0.05)
    journal.append(b"{}")
    until = time.monotonic() + 5
    while not list(tmp_path.glob("*.ready")):
        assert time.monotonic() < until
        time.sleep(0.02)
    journal.append(b"{}")  # the next record opens the next file
    assert len(list(tmp_path.iterdir())) == 2
    journal.close()
    assert len(list(tmp_path.glob("*.ready"))) == 2


def test_records_that_come_together_stand_in_one_file_one_by_one(tmp_path: Path) -> None:
    journal = Journal(tmp_path, most_bytes=100, most_seconds=60)
    journal.append(b'{"a": 1}')
    journal.append(b'{"b":\n2}', b"x" * 80)
    journal.close()
    found = [records_of(path.read_bytes())[0] for path in sorted(tmp_path.glob("*.ready"))]
    assert found == [[b'{"a": 1}'], [b'{"b": 2}', b"x" * 80]]


def test_a_large_journal_is_handed_over_before_its_time(tmp_path: Path) -> None:
    journal = Journal(tmp_path, most_bytes=100, most_seconds=60, sync_seconds=0.02)
    journal.append(b"x" * 200)
    until = time.monotonic() + 5
    while not list(tmp_path.glob("*.ready")):
        assert time.monotonic() < until
        time.sleep(0.02)


DYING = """
import os, sys
from pathlib import Path
from berth.journal import Journal
journal = Journal(Path(sys.argv[1]), most_seconds=60, sync_seconds=60)
journal.append(sys.argv[2].encode())
print("answered", flush=True)
sys.stdin.read()
"""


def test_a_killed_processs_journal_is_adopted(cast: Cast, tmp_path: Path) -> None:
    named = [
        str(UUID(int=7)),
        str(cast.acme.pk),
        "2026-01-02T03:04:05Z",
        "wages",
        1,
        "sk_x",
        1,
        0.5,
    ]
    record = SEPARATOR.join((orjson.dumps(named), b"{}", b"{}"))
    process = subprocess.Popen(
        [sys.executable, "-c", DYING, str(tmp_path), record.decode()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"answered\n"
        assert load_all(tmp_path) == 0
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert load_all(tmp_path) == 1
    assert count(cast) == 1


def test_an_answer_that_cannot_be_put_on_record_is_not_given(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "no-folder").write_text("a file where the journal's folder should be")
    monkeypatch.setattr(answering, "JOURNAL", Journal(tmp_path / "no-folder"))
    answer = ask({"instances": [ROW]})
    assert answer.status_code == 503
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == "/api/problems/journal_unavailable"
    assert int(answer["Retry-After"]) > 0
    assert "predictions" not in answer.json()


def test_a_full_disk_leaves_no_half_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path, most_seconds=60)
    journal.append(b'{"a": 1}')
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:5]))
    with pytest.raises(OSError, match="took 5 of"):
        journal.append(b'{"b": 2}')
    monkeypatch.undo()
    journal.append(b'{"c": 3}')
    journal.close()
    (path,) = tmp_path.iterdir()
    assert records_of(path.read_bytes()) == ([b'{"a": 1}', b'{"c": 3}'], 0, 0)


def test_a_half_record_that_cannot_be_cut_off_is_the_last_of_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path, most_seconds=60)
    journal.append(b'{"a": 1}')
    write = os.write

    def refused(descriptor: int, size: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:5]))
    monkeypatch.setattr(os, "ftruncate", refused)
    with pytest.raises(OSError, match="took 5 of"):
        journal.append(b'{"b": 2}')
    monkeypatch.undo()
    journal.append(b'{"c": 3}')
    journal.close()
    found = sorted(records_of(path.read_bytes()) for path in tmp_path.iterdir())
    assert found == [([b'{"a": 1}'], 1, 0), ([b'{"c": 3}'], 0, 0)]


def test_a_file_outgrows_its_bound_by_one_large_record_alone(tmp_path: Path) -> None:
    journal = Journal(tmp_path, most_bytes=100, most_seconds=60, sync_seconds=60)
    for size in (40, 40, 200, 10):
        journal.append(b"x" * size)
    journal.close()
    sizes = [path.stat().st_size for path in sorted(tmp_path.iterdir())]
    assert sizes == [2 * (40 + 10), 200 + 10, 10 + 10]


def test_a_file_whose_process_died_at_once_is_swept_away(tmp_path: Path) -> None:
    young, old = tmp_path / "1.new", tmp_path / "2.new"
    for path in (young, old):
        path.touch()
    os.utime(old, (0, 0))
    assert load_all(tmp_path) == 0
    assert list(tmp_path.iterdir()) == [young]


@pytest.mark.parametrize("address", ["not-a-uuid", "00000000-0000-0000-0000-000000000000"])
def test_a_prediction_that_never_was_is_not_found(api: Client, address: str) -> None:
    answer = api.get(f"/api/v1/predictions/{address}")
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"
