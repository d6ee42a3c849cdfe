"""Parquet from enemies: read in a child, so that the worker goes on whatever the file does."""

import io
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from models_hub import native, standing
from models_hub.sandbox import tables
from models_hub.sandbox.forms import FORMS
from models_hub.sandbox.packing import Misfit
from models_hub.sandbox.probe import Proof
from tests.workers.conftest import table
from tests.workers.test_jobs import parquet
from workers.reading import ERROR, UnreadableFile, open_reader, parquet_file

pytestmark = pytest.mark.django_db(databases=["default", "owner"])
Run = Callable[..., Any]
ROOT = Path(__file__).resolve().parents[2]
FLIPS, SEED = 200, 20261124


def outcome(path: Path) -> str:
    """ "read", or the code of the refusal: anything else that is raised is a failure."""
    try:
        with open_reader(path, "parquet", []) as reader:
            for batch in reader.batches(0, 0):
                assert batch.frame.columns == [*map(str, range(len(reader.columns))), ERROR]
    except UnreadableFile as error:
        return error.code if error.detail else "without a reason"
    return "read"


def flipped(whole: bytes, count: int) -> Iterator[bytes]:
    """The file with a few bits turned over, half of the time in its footer."""
    dice = random.Random(SEED)
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    for i in range(count):
        data = bytearray(whole)
        for _ in range(dice.randint(1, 4)):
            data[dice.randrange(footer if i % 2 else 4, len(data))] ^= 1 << dice.randrange(8)
        yield bytes(data)


def test_two_hundred_flipped_files_end_in_rows_or_a_refusal(tmp_path: Path) -> None:
    """As the child sees them, many to a child: each answers in a frame of its own, and a child
    that a file ends is followed by another."""
    whole = parquet(table(300))
    paths = [tmp_path / f"{i:03}.parquet" for i in range(FLIPS)]
    for path, data in zip(paths, flipped(whole, FLIPS), strict=True):
        path.write_bytes(data)
    done: dict[str, str] = {}
    while len(done) < FLIPS:
        rest = [str(path) for path in paths if str(path) not in done]
        child = subprocess.run(
            [sys.executable, "-c", CHILD, *rest], capture_output=True, text=True, cwd=ROOT
        )
        done |= dict(line.split() for line in child.stdout.splitlines())
        if child.returncode:
            done[next(path for path in rest if path not in done)] = "crashed"
    assert set(done.values()) <= {"rows", "bad_parquet", "nested_column", "inspection_failed"} | {
        "inspection_out_of_memory",
        "crashed",
    }
    assert list(done.values()).count("bad_parquet") > FLIPS // 10


CHILD = """
import io, resource, sys
from models_hub.sandbox import frames, parquet
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
asked = [{"from": -1, "rows": 0}, {"from": 0, "rows": 1000}, {"from": 300, "rows": 1000}]
for path in sys.argv[1:]:
    given, answers = io.BytesIO(), io.BytesIO()
    for question in asked:
        frames.write_json(given, question)
    given.seek(0)
    parquet.run({"path": path}, given, answers)
    answers.seek(0)
    said = "rows"
    while answer := frames.read(answers):
        if answer[0] == frames.JSON:
            said = frames.parse(answer[1]).get("code", said)
    print(path, said, flush=True)
"""


def test_the_worker_goes_on_after_hostile_files(tmp_path: Path) -> None:
    whole = parquet(table(300))
    path = tmp_path / "a.parquet"
    cut = [whole[:size] for size in (4, 12, len(whole) // 2, len(whole) - 1)]
    for data in [*cut, *flipped(whole, 4)]:
        path.write_bytes(data)
        assert outcome(path) in ("bad_parquet", "nested_column", "read")
    path.write_bytes(whole)
    assert outcome(path) == "read"


def test_a_bomb_is_refused_and_takes_none_of_the_workers_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hundreds of megabytes in one row group, some kilobytes on the disk."""
    path = tmp_path / "bomb.parquet"
    columns = [pl.repeat(1.5, 3_000_000).alias(f"c{i}") for i in range(16)]
    pl.select(columns).write_parquet(path, row_group_size=3_000_000)
    assert path.stat().st_size < 200_000
    little = replace(parquet_file.LIMITS, memory=1_300 << 20)
    monkeypatch.setattr(parquet_file, "LIMITS", little)
    before = peak()
    assert outcome(path) == "bad_parquet"
    assert peak() - before < 100_000


def peak() -> int:
    """This process's highest memory so far, in KB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def test_a_parquet_job_is_refused_where_no_worker_has_a_sandbox(api: Client) -> None:
    standing.note("process", holds=False, reason="bubblewrap is not installed.", walls={})
    file = SimpleUploadedFile("a.parquet", parquet(table(3)))
    answer = api.post("/api/v1/models/salary/jobs", {"file": file})
    assert (answer.status_code, answer.json()["type"]) == (503, "/api/problems/sandbox_unavailable")
    assert "bubblewrap is not installed" in answer.json()["detail"]
    plain = SimpleUploadedFile("a.csv", table(3).to_csv(index=False).encode())
    assert api.post("/api/v1/models/salary/jobs", {"file": plain}).status_code == 202


def test_a_job_whose_sandbox_is_lost_fails_and_says_why(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = Proof(FORMS["process"], "user namespaces are forbidden.")
    monkeypatch.setattr(native, "sandbox_proof", lambda: lost)
    job = run(parquet(table(3)), "a.parquet")
    assert (job["status"], job["error"]["code"]) == ("failed", "sandbox_unavailable")
    assert "user namespaces are forbidden" in job["error"]["detail"]


KINDS = ["number", "integer", "boolean", "text"]


def packed() -> bytes:
    frame = pl.DataFrame(
        {"a": [1.5, None], "b": [2, None], "c": [True, None], "d": ["Zürich", None]}
    )
    return tables.pack(frame, KINDS)


def test_rows_come_out_of_the_child_as_they_went_in() -> None:
    assert tables.unpack(packed(), KINDS).rows() == [(1.5, 2, True, "Zürich"), (None,) * 4]


def test_bytes_of_a_child_that_lies_are_a_misfit_or_rows() -> None:
    dice, whole = random.Random(SEED), packed()
    refused = 0
    for _ in range(2_000):
        data = bytearray(whole[: dice.randrange(1, len(whole) + 1)])
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        try:
            tables.unpack(bytes(data), KINDS)
        except Misfit:
            refused += 1
    assert refused > 1_000


def test_whole_numbers_beyond_64_bits_keep_their_digits_as_keys(
    run: Run, rows: Callable[..., list[Any]]
) -> None:
    ids = [2**64 - 1, 2**63 + 1]
    frame = pl.DataFrame(table(2).to_dict("list")).with_columns(
        pl.Series("id", ids, dtype=pl.UInt64)
    )
    stream = io.BytesIO()
    frame.write_parquet(stream)
    job = run(stream.getvalue(), "a.parquet", key="id")
    assert [row["key"] for row in rows(job)] == list(map(str, ids))
