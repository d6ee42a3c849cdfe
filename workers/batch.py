"""The offline room's engine: chunk after chunk, each organisation in its turn.

The database is the queue (see portal.turns): ``drain`` may be called at any time, by any number
of workers, and be killed at any point.
"""

import time
from uuid import UUID

import structlog

from models_hub.native import require_allowed
from portal import turns
from portal.errors import Conflict, Unavailable
from portal.tenancy import scope
from portal.turns import Kind
from predictions.engine import ENGINE, Served
from workers import claims, closing
from workers.claims import MOST_ATTEMPTS, Overtaken
from workers.models import Chunk
from workers.reading import UnreadableFile
from workers.scoring import score
from workers.splitting import split

log = structlog.get_logger()
UNFINISHED = "SELECT 1 FROM workers_job WHERE status IN ('queued', 'running')"


def drain(seconds: float = turns.SLICE_SECONDS) -> None:
    """Work for at most ``seconds`` (and the last chunk's time); ring again if work is left."""
    until = time.monotonic() + seconds
    passed: set[UUID] = set()
    first = True
    while (organisation_id := turns.next_turn(Kind.SCORE, passed)) is not None:
        chunk = _claim(organisation_id)
        if chunk is None:
            passed.add(organisation_id)
            continue
        if first:  # whoever finds work wakes one more worker, until all are at it or none is left
            turns.ring(Kind.SCORE)
            first = False
        if not _work(chunk, until):
            passed.add(organisation_id)
        if time.monotonic() > until:
            turns.ring(Kind.SCORE)
            return


def _claim(organisation_id: UUID) -> Chunk | None:
    with scope(organisation_id):
        chunk = claims.claim()
        if chunk is None:
            closing.end_jobs()
            turns.conclude(Kind.SCORE, UNFINISHED)
    return chunk


def _work(chunk: Chunk, until: float) -> bool:
    """Whether the organisation may be served again in this round."""
    try:
        claims.start(chunk)
        _take_on(chunk, until)
    except Overtaken:
        log.info("chunk_overtaken", chunk=str(chunk))
    except UnreadableFile as error:
        _fail(chunk, error.code, error.detail)
    except Conflict as error:  # somebody has to decide something first
        _fail(chunk, error.kind, error.detail)
    except Unavailable as error:
        if error.kind == "corrupt":  # what is stored is not what was; no later try finds it better
            _fail(chunk, error.kind, error.detail)
            return True
        if error.kind == "native_failed":  # as if it had ended this worker: see `closing.divide`
            claims.give_back(chunk, counts=True)
            return True
        # The storage is away: nobody's fault, and trying on is no use.
        log.warning("chunk_put_off", chunk=str(chunk), error=str(error))
        claims.give_back(chunk, counts=False)
        return False
    except Exception:  # a model's failure must not end the worker; the chunk's attempts count it
        log.exception("chunk_failed", chunk=str(chunk))
        claims.give_back(chunk, counts=True)
    return True


def _take_on(chunk: Chunk, until: float) -> None:
    is_split = chunk.row_from == Chunk.SPLIT
    if chunk.attempt > MOST_ATTEMPTS:
        if is_split:
            raise UnreadableFile("unreadable", "Reading the file failed three times.")
        closing.divide(chunk)
    elif is_split:
        split(chunk, until)
    else:
        with claims.held(chunk):
            version = chunk.job.version
            served = Served(
                version.model.slug, version.number, version.pk, version.bundle_sha256, True
            )
            with scope(chunk.organisation_id):
                require_allowed(version)
            predictor = ENGINE.predictor(chunk.organisation_id, served, patient=True)
            outcome = score(chunk, predictor)
        closing.finish(chunk, outcome)


def _fail(chunk: Chunk, code: str, detail: str) -> None:
    closing.fail(chunk.organisation_id, chunk.job_id, code, detail)
