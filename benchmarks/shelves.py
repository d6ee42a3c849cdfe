"""The predictions database with ten large jobs in it: a row by its key, a page, a deletion.

The rows are made by SQL, on shelves as a job gets them; what is timed goes by the HTTP API.
"""

import random
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median, quantiles

import httpx
import psycopg
import uuid_utils.compat

from benchmarks.installation import Installation
from portal import sockets
from portal.environment import DATABASE, OWNER

_JOB = """
INSERT INTO workers_job (id, organisation_id, version_id, status, filename, format, sha256, size,
    stored, key_column, columns, source, reading, mapping, shelf, upload_gone,
    inputs_gone, rows_erased, crashes, created_by, created, finished_at)
SELECT %s, organisation_id, id, 'succeeded', 'bench.csv', 'csv', '', 0,
    0, 'id', '[]', '', '{}', '{}', 0, true,
    true, 0, 0, 'bench', now(), now() FROM models_hub_version LIMIT 1
"""
_ROWS = """
INSERT INTO workers_jobrow (organisation_id, job_id, shelf, row, key, value)
SELECT j.organisation_id, j.id, j.shelf, n, 'k' || n, n * 0.5
FROM workers_job j, generate_series(%s::bigint, %s::bigint - 1) n WHERE j.id = %s
"""
_SIZE = """
SELECT coalesce(sum(pg_total_relation_size(relid)), 0) FROM pg_partition_tree('workers_jobrow')
"""
_BY_KEY = """
SELECT row, key, value FROM workers_jobrow
WHERE shelf = (SELECT shelf FROM workers_job WHERE id = %s) AND job_id = %s AND key = %s
"""
_PAGE = """
SELECT row, key, value FROM workers_jobrow
WHERE shelf = (SELECT shelf FROM workers_job WHERE id = %s) AND job_id = %s AND row > %s
ORDER BY row LIMIT 101
"""
Database = psycopg.Connection[tuple[object, ...]]
AT_ONCE = 100_000
SETTLED_SECONDS = 60.0
TARGET_KEY_MS, TARGET_PAGE_MS = 10, 50


@dataclass
class Found:
    """Milliseconds of each question; the database's bytes on disk when empty, full and left."""

    jobs: int
    rows: int
    key_alone: list[float] = field(default_factory=list)
    page_alone: list[float] = field(default_factory=list)
    by_key: list[float] = field(default_factory=list)
    page: list[float] = field(default_factory=list)
    deletion: list[float] = field(default_factory=list)
    empty: int = 0
    full: int = 0
    left: int = 0


def measure(there: Installation, jobs: int, rows: int, questions: int) -> Found:
    """Fill, ask ``questions`` times each, delete all jobs."""
    found, chance = Found(jobs, rows), random.Random(5)
    folder = str(sockets.postgres_socket(there.home))
    with (
        psycopg.connect(host=folder, user=OWNER, dbname=DATABASE, autocommit=True) as database,
        httpx.Client(base_url=f"{there.address}/api/v1", headers=there.headers) as api,
    ):
        found.empty = _size(database)
        ids = [_fill(database, rows) for _ in range(jobs)]
        found.full = _size(database)
        for _ in range(questions):
            _ask(found, database, api, chance.choice(ids), chance.randrange(rows - 1_000))
        for job in ids:
            _timed(found.deletion, api.delete, f"/jobs/{job}")
        found.left = _settled(database)
    return found


def _ask(found: Found, database: Database, api: httpx.Client, job: str, row: int) -> None:
    with database.transaction():
        _enter(database)
        started = time.perf_counter()
        database.execute(_BY_KEY, [job, job, f"k{row}"]).fetchall()
        middle = time.perf_counter()
        database.execute(_PAGE, [job, job, row]).fetchall()
        found.key_alone.append((middle - started) * 1000)
        found.page_alone.append((time.perf_counter() - middle) * 1000)
    answer = _timed(found.by_key, api.get, f"/jobs/{job}/rows?key=k{row}")
    assert [item["row"] for item in answer.json()["items"]] == [row]
    cursor = urlsafe_b64encode(str(row).encode()).decode()  # as of a page that ended there
    answer = _timed(found.page, api.get, f"/jobs/{job}/rows?cursor={cursor}")
    assert [item["row"] for item in answer.json()["items"]] == [*range(row + 1, row + 101)]


def _enter(database: Database) -> None:
    """The organisation's walls, which hold for the tables' owner too."""
    database.execute("SELECT set_config('berth.relay', 'on', true)")
    database.execute(
        "SELECT set_config('berth.organisation', id::text, true) FROM portal_organisation"
        " WHERE slug = 'bench'"
    )


def _fill(database: Database, rows: int) -> str:
    """A job that has succeeded, on a shelf of its own; returns its id."""
    job = str(uuid_utils.compat.uuid7())
    with database.transaction(), database.cursor() as cursor:
        _enter(database)
        cursor.execute(_JOB, [job])
        cursor.execute("SELECT workers_own_shelf(%s)", [job])
        for start in range(0, rows, AT_ONCE):
            cursor.execute(_ROWS, [start, min(start + AT_ONCE, rows), job])
        cursor.execute("UPDATE workers_job SET rows_total = %s WHERE id = %s", [rows, job])
    return job


def _timed(into: list[float], ask: Callable[[str], httpx.Response], path: str) -> httpx.Response:
    started = time.perf_counter()
    answer = ask(path)
    into.append((time.perf_counter() - started) * 1000)
    return answer.raise_for_status()


def _size(database: Database) -> int:
    found = database.execute(_SIZE).fetchone()
    return int(str(found[0])) if found else 0


def _settled(database: Database) -> int:
    """The size once the workers have dropped the shelves, or when that takes too long."""
    until = time.monotonic() + SETTLED_SECONDS
    shelves = "SELECT 1 FROM pg_inherits WHERE inhparent = 'workers_jobrow'::regclass OFFSET 1"
    while database.execute(shelves).fetchone() and time.monotonic() < until:
        time.sleep(0.2)
    return _size(database)


def show(found: Found) -> None:
    """As a table, with the targets beside it."""
    print(f"The predictions database: {found.jobs} jobs of {found.rows:,} rows each")
    print(f"{'':48}{'median':>12}{'95th percentile':>18}")
    for name, each, target in (
        ("A row by job and key, in the database", found.key_alone, None),
        ("A row by job and key, by the API", found.by_key, TARGET_KEY_MS),
        ("A page of 100 rows anywhere, in the database", found.page_alone, None),
        ("A page of 100 rows anywhere, by the API", found.page, TARGET_PAGE_MS),
        ("Deleting a job, by the API", found.deletion, None),
    ):
        most = quantiles(each, n=20, method="inclusive")[18]
        print(f"{name:48}{median(each):9.1f} ms{most:15.1f} ms")
        if target is not None:
            verdict = "Reached." if median(each) <= target else "Missed."
            print(f"  Target: {target} ms at the median. {verdict}")
    sizes = (found.empty, found.full, found.left)
    print("On disk before, full, and with the jobs deleted", end="  ")
    print(", ".join(f"{size / 1e6:,.1f} MB" for size in sizes), end="\n\n")
