"""The audit log by page and as a file."""

import csv
import io
from itertools import chain

import pytest

from portal import tenancy
from portal.access import record, system
from portal.formulas import defused
from portal.models import AuditEntry
from tests.cast import Cast

pytestmark = pytest.mark.django_db(databases=["default", "owner"])


def write(cast: Cast, count: int, actor: str = "alice@acme.example", label: str = "") -> None:
    with tenancy.scope(cast.acme.pk):
        for number in range(count):
            record(system(cast.acme.pk, actor), "model.tested", cast.acme, label or f"n{number}")


def test_the_newest_deed_stands_first(cast: Cast) -> None:
    write(cast, 2)
    page = cast.browser(cast.alice).get("/audit").content.decode()
    assert page.index("n1") < page.index("n0") < page.index("organisation created")


def test_every_mutation_by_page_says_who_from_where(cast: Cast) -> None:
    alice = cast.browser(cast.alice)
    alice.post("/keys/new", {"name": "x", "scopes": ["read"]})
    with tenancy.scope(cast.acme.pk):
        entry = AuditEntry.objects.first()
    assert entry is not None
    assert (entry.actor, entry.address) == ("alice@acme.example", "127.0.0.1")


def test_a_filter_keeps_what_it_names(cast: Cast) -> None:
    write(cast, 1, actor="robot", label="by-robot")
    alice = cast.browser(cast.alice)
    assert "by-robot" in alice.get("/audit", {"actor": "ROBO"}).content.decode()
    assert "by-robot" not in alice.get("/audit", {"actor": "alice"}).content.decode()
    assert "by-robot" not in alice.get("/audit", {"about": "key"}).content.decode()
    assert "by-robot" in alice.get("/audit", {"about": "model"}).content.decode()
    assert "by-robot" not in alice.get("/audit", {"until": "2020-01-01"}).content.decode()
    assert "by-robot" in alice.get("/audit", {"since": "2020-01-01"}).content.decode()
    assert "Nothing matches" in alice.get("/audit", {"since": "2199-01-01"}).content.decode()


def test_a_date_that_is_none_is_told_beside_the_field(cast: Cast) -> None:
    answer = cast.browser(cast.alice).get("/audit", {"since": "yesterday"})
    assert answer.status_code == 422
    assert "Enter a valid date" in answer.content.decode()


def test_pages_lead_back_and_forth_and_show_each_entry_once(cast: Cast) -> None:
    write(cast, 120)
    alice = cast.browser(cast.alice)
    seen, address = [], "/audit?about=model"
    while address:
        window = alice.get(address).context["window"]
        seen.append([line.entry.label for line in window.lines])
        address = window.older
    assert [len(page) for page in seen] == [50, 50, 20]
    assert list(chain(*seen)) == [f"n{number}" for number in reversed(range(120))]
    window = alice.get(alice.get("/audit?about=model").context["window"].older).context["window"]
    assert [x.entry.label for x in alice.get(window.newer).context["window"].lines] == seen[0]


def test_the_file_has_what_the_page_shows_and_runs_nothing(cast: Cast) -> None:
    write(cast, 1, label='=HYPERLINK("http://evil.example")')
    write(cast, 1, actor="robot", label="by-robot")
    answer = cast.browser(cast.alice).get("/audit/export", {"actor": "alice"})
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert 'filename="audit-acme.csv"' in answer["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert [row["actor"] for row in rows] == ["alice@acme.example"]
    assert rows[0]["label"] == '\'=HYPERLINK("http://evil.example")'


@pytest.mark.parametrize("cell", ["=1", "+cmd", "-cmd", "@x", "\tx", "\rx", "\n=x", "＝1", "-1+2"])
def test_a_cell_that_a_spreadsheet_would_run_becomes_text(cell: str) -> None:
    assert defused(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "x", "-1", "+1.5", "-1e-05", "a=b", "{}"])
def test_a_harmless_cell_stays_as_it_is(cell: str) -> None:
    assert defused(cell) == cell


def test_a_publisher_does_not_read_the_log(cast: Cast) -> None:
    bob = cast.browser(cast.bob)
    assert bob.get("/audit").status_code == 403
    assert bob.get("/audit/export").status_code == 403


def test_another_organisations_deeds_are_not_in_it(cast: Cast) -> None:
    write(cast, 1, label="acmes-own")
    charlie = cast.browser(cast.charlie)
    assert "acmes-own" not in charlie.get("/audit").content.decode()
    assert "acmes-own" not in charlie.get("/audit/export").content.decode()
