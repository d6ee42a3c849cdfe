"""Slots by the clock on a wall: every zone, every day, also those when the clocks are changed."""

import calendar
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workers.recurring.timetable import DAY, Every, Timetable, first_moment, zones

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = st.sampled_from(zones()).map(ZoneInfo)
WALLS = st.datetimes(datetime(1975, 1, 1), datetime(2037, 12, 1)).map(
    lambda wall: wall.replace(second=0, microsecond=0)
)
MINUTES = st.integers(0, 24 * 60 - 1).map(lambda minute: time(minute // 60, minute % 60))


def shown(moment: datetime, zone: ZoneInfo) -> datetime:
    """What a clock on the wall shows."""
    return moment.astimezone(zone).replace(tzinfo=None)


def slots(timetable: Timetable, after: datetime, count: int) -> list[datetime]:
    return list(islice(timetable.slots(after), count))


def berlin(every: Every, at: time, after: str, count: int, **more: int) -> list[str]:
    found = slots(Timetable(every, at, BERLIN, **more), datetime.fromisoformat(after), count)
    return [slot.isoformat(timespec="minutes").replace("+00:00", "Z") for slot in found]


def test_a_time_that_does_not_exist_runs_at_the_next_moment_that_does() -> None:
    assert berlin(Every.DAY, time(2, 30), "2026-03-27T12:00Z", 3) == [
        "2026-03-28T01:30Z",
        "2026-03-29T01:00Z",  # 03:00 in Berlin, the first minute after the gap
        "2026-03-30T00:30Z",
    ]


def test_a_time_that_is_shown_twice_runs_once_the_first_time() -> None:
    assert berlin(Every.DAY, time(2, 30), "2026-10-24T12:00Z", 2) == [
        "2026-10-25T00:30Z",
        "2026-10-26T01:30Z",
    ]


def test_a_month_without_the_day_runs_on_its_last_one() -> None:
    assert berlin(Every.MONTH, time(12), "2028-01-01T00:00Z", 4, day=31) == [
        "2028-01-31T11:00Z",
        "2028-02-29T11:00Z",
        "2028-03-31T10:00Z",
        "2028-04-30T10:00Z",
    ]


def test_a_week_runs_on_its_day() -> None:
    assert berlin(Every.WEEK, time(6), "2026-11-24T12:00Z", 2, weekday=2) == [
        "2026-11-25T05:00Z",
        "2026-12-02T05:00Z",
    ]


def test_a_day_that_a_zone_left_out_shares_a_moment_with_the_next_one() -> None:
    """Samoa had no 30 December 2011."""
    apia = Timetable(Every.DAY, time(0), ZoneInfo("Pacific/Apia"))
    found = slots(apia, datetime(2011, 12, 28, 12, tzinfo=UTC), 3)
    assert [shown(slot, apia.zone).date() for slot in found] == [
        date(2011, 12, 29),
        date(2011, 12, 31),
        date(2012, 1, 1),
    ]


@given(zone=ZONES, wall=WALLS)
@example(zone=ZoneInfo("America/New_York"), wall=datetime(2026, 3, 8, 2, 30))
@example(zone=ZoneInfo("America/New_York"), wall=datetime(2026, 11, 1, 1, 30))
@example(zone=ZoneInfo("Australia/Lord_Howe"), wall=datetime(2026, 10, 4, 2, 15))
@example(zone=ZoneInfo("Africa/Casablanca"), wall=datetime(2026, 2, 15, 2, 30))
def test_the_first_moment_is_the_first_at_which_the_clock_shows_the_time_or_later(
    zone: ZoneInfo, wall: datetime
) -> None:
    moment = first_moment(wall, zone)
    assert shown(moment, zone) >= wall
    # What comes before it shows an earlier time: the same minute by minute, for half a day.
    assert all(shown(moment - timedelta(minutes=m), zone) < wall for m in range(1, 12 * 60))
    assert shown(moment - timedelta(seconds=1), zone) < wall


@given(zone=ZONES, start=WALLS, at=MINUTES)
def test_every_day_has_one_slot_and_slots_go_up(zone: ZoneInfo, start: datetime, at: time) -> None:
    after = start.replace(tzinfo=UTC)
    found = slots(Timetable(Every.DAY, at, zone), after, 400)
    assert after < found[0]
    assert all(a < b for a, b in pairwise(found))
    days = [shown(slot, zone).date() for slot in found]
    left_out = {first + DAY for first, then in pairwise(days) if then > first + DAY}
    for day in left_out:  # not one of them was a day that has that time, or a later one
        assert first_moment(datetime.combine(day, at), zone) in found
    changed = [slot for slot in found if shown(slot, zone).time() != at]
    assert all(
        first_moment(datetime.combine(shown(s, zone).date(), at), zone) == s
        or shown(s, zone).time() == time(0)
        for s in changed
    )


@given(zone=ZONES, start=WALLS, at=MINUTES, day=st.integers(1, 31))
def test_every_month_has_one_slot_on_its_day(
    zone: ZoneInfo, start: datetime, at: time, day: int
) -> None:
    after = start.replace(tzinfo=UTC)
    found = slots(Timetable(Every.MONTH, at, zone, day=day), after, 15)
    for slot in found:
        wall = shown(slot, zone)
        last = calendar.monthrange(wall.year, wall.month)[1]
        if wall.time() == at:
            assert wall.day == min(day, last)
    months = [(s.year * 12 + s.month) for s in (shown(slot, zone) for slot in found)]
    assert all(b - a <= 2 for a, b in pairwise(months))


@given(zone=ZONES, start=WALLS, at=MINUTES, every=st.sampled_from(Every), step=st.integers(0, 99))
def test_where_one_begins_to_look_changes_nothing(
    zone: ZoneInfo, start: datetime, at: time, every: Every, step: int
) -> None:
    timetable = Timetable(every, at, zone, weekday=step % 7, day=step % 31 + 1)
    first, second = slots(timetable, start.replace(tzinfo=UTC), 2)
    between = first + (second - first) * step / 100
    assert timetable.next_after(between) == second
    assert timetable.next_after(first - timedelta(microseconds=1)) == first


@pytest.mark.parametrize("name", ["Europe/Berlin", "Asia/Kathmandu", "UTC", "America/St_Johns"])
def test_the_zones_are_those_of_iana(name: str) -> None:
    assert name in zones()
    assert "localtime" not in zones()
