"""Rate limits: exact across processes, and never charged for a refusal."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from django.conf import settings

from portal.errors import RateLimited
from predictions.limits import Bucket, Limiter

NOWHERE = "redis://127.0.0.1:1"


def bucket(calls: int, name: str = "") -> Bucket:
    """``calls`` at once; the next one only after ten seconds."""
    return Bucket(name or str(uuid4()), 6, burst_seconds=10.0 * calls)


def passes(limiter: Limiter, *buckets: Bucket) -> bool:
    try:
        limiter.take(buckets)
    except RateLimited:
        return False
    return True


@pytest.fixture
def limiter() -> Limiter:
    return Limiter(settings.ENV.redis_url)


def test_of_200_parallel_calls_in_two_processes_exactly_the_limit_passes() -> None:
    limiters = [Limiter(settings.ENV.redis_url) for _ in range(2)]
    shared = bucket(37)
    with ThreadPoolExecutor(20) as pool:
        passed = pool.map(lambda i: passes(limiters[i % 2], shared), range(200))
    assert sum(passed) == 37


@pytest.mark.parametrize("full", [0, 1])
def test_a_refused_call_is_charged_to_no_bucket(limiter: Limiter, full: int) -> None:
    roomy, tight = bucket(5), bucket(1)
    assert passes(limiter, tight)
    for _ in range(9):
        assert not passes(limiter, *((tight, roomy) if full == 0 else (roomy, tight)))
    assert sum(passes(limiter, roomy) for _ in range(9)) == 5


def test_a_refusal_says_when_the_next_call_is_possible(limiter: Limiter) -> None:
    tight = bucket(1)
    limiter.take([tight])
    with pytest.raises(RateLimited, match="the next is possible in") as refusal:
        limiter.take([tight])
    assert 9 <= int(refusal.value.headers["Retry-After"]) <= 10


def test_calls_come_back_at_the_buckets_pace(limiter: Limiter) -> None:
    quick = Bucket(str(uuid4()), 60_000, burst_seconds=0.001)
    assert passes(limiter, quick)
    assert any(passes(limiter, quick) for _ in range(1_000))


@pytest.mark.parametrize("limit", [0, 1, 10**9])
def test_any_limit_lets_a_call_through(limiter: Limiter, limit: int) -> None:
    assert passes(limiter, Bucket(str(uuid4()), limit))


def test_without_valkey_each_process_counts_for_itself() -> None:
    alone, other = Limiter(NOWHERE), Limiter(NOWHERE)
    shared = bucket(3)
    assert [passes(alone, shared) for _ in range(5)] == [True, True, True, False, False]
    assert passes(other, shared)


def test_without_valkey_a_refused_call_is_charged_to_no_bucket() -> None:
    alone, roomy, tight = Limiter(NOWHERE), bucket(2), bucket(1)
    assert passes(alone, tight)
    assert not passes(alone, roomy, tight)
    assert [passes(alone, roomy) for _ in range(3)] == [True, True, False]
