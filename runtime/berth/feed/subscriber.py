"""Models in an application of one's own: followed while it runs, answered from its memory.

subscriber = Subscriber(
    feed="https://berth.example.com", key="sk_…", models=["pay"],
    public_key="…", folder="/var/lib/careers/models", name="careers-1",
)
with subscriber:
    subscriber.predict("pay", [{"role": "engineer", "years": 4}])
"""

import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from berth.feed.follower import Follower, load
from berth.feed.manifest import Manifest, public_key
from berth.feed.reading import Interest
from berth.feed.reporter import ORGANISATION_REPORTS, Reporter
from berth.feed.sources import HttpSource, Source
from berth.feed.store import Store
from berth.predictor import Predictor
from berth.signature import Signature


class ModelUnavailable(LookupError):
    """The model can't answer here; `code` says why: `not_there` (never arrived so far)."""

    code = "not_there"


class ModelWithdrawn(ModelUnavailable):
    """The organisation withdrew the model, or publishes it no more (code `withdrawn`)."""

    code = "withdrawn"


@dataclass(frozen=True)
class Model:
    """One version of one model, loaded: all of its answers are this version's."""

    manifest: Manifest
    predictor: Predictor

    @property
    def name(self) -> str:
        return self.manifest.model

    @property
    def version(self) -> int | None:
        return self.manifest.version

    @property
    def signature(self) -> Signature:
        """What it takes and gives."""
        return self.predictor.signature

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The API's answer for these rows: `model`, `version`, `predictions`; `probabilities`
        and `labels` of a classification; `warnings` where a value is outside what the model was
        trained on.

        Raises InvalidInput (errors point at `/instances/{row}/{field}`), PredictionError.
        """
        return {"model": self.name, "version": self.version, **predict(self.predictor, rows)}


def predict(predictor: Predictor, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What Model.predict says, but for which model and version it is."""
    coerced = predictor.signature.coerce(rows)
    predictions = predictor.predict(coerced.columns)
    answer = predictions.to_json()
    if predictions.probabilities is not None:
        answer["labels"] = list(predictor.signature.output.labels or ())
    if coerced.warnings:
        answer["warnings"] = [warning.to_json() for warning in coerced.warnings]
    return answer


class _Loaded:
    """The follower's target: loads beside what runs, and swaps by one assignment."""

    def __init__(self, store: Store, key: Ed25519PublicKey, threads: int) -> None:
        self._store = store
        self._key = key
        self._threads = threads
        self._models: dict[str, Model] = {}
        self._before: dict[str, Model] = {}
        self._withdrawn: dict[str, Manifest] = {}

    def get(self, name: str) -> Model:
        if (found := self._models.get(name)) is not None:
            return found
        if (gone := self._withdrawn.get(name)) is not None:
            raise ModelWithdrawn(f"“{name}” is not published any more, since {gone.at}.")
        raise ModelUnavailable(f"No version of “{name}” has arrived here yet.")

    def knows(self, name: str) -> bool:
        return name in self._models or name in self._withdrawn

    def swap(self, manifest: Manifest) -> None:
        name, running = manifest.model, self._models.get(manifest.model)
        predictor = self._loaded(manifest) or load(self._store, manifest, self._key, self._threads)
        self._models[name] = Model(manifest, predictor)
        self._withdrawn.pop(name, None)
        if running is not None and running.predictor is not predictor:
            self._before[name] = running  # so that a roll-back takes no time

    def withdraw(self, manifest: Manifest) -> None:
        self._withdrawn[manifest.model] = manifest
        self._models.pop(manifest.model, None)
        self._before.pop(manifest.model, None)

    def _loaded(self, manifest: Manifest) -> Predictor | None:
        for known in (self._models, self._before):
            found = known.get(manifest.model)
            if found is not None and found.manifest.sha256 == manifest.sha256:
                return found.predictor
        return None


class Subscriber:
    """Follows an organisation's published models. Safe to use from many threads.

    Start it in the process that answers: a thread does not survive a fork.
    """

    def __init__(
        self,
        *,
        models: Sequence[str],
        public_key: str | Ed25519PublicKey,
        folder: Path | str,
        feed: str | None = None,
        key: str = "",
        kafka: str | None = None,
        kafka_properties: Mapping[str, str] | None = None,
        source: Source | None = None,
        organisation: str | None = None,
        name: str = "",
        threads: int = 1,
        verify_tls: bool | str | ssl.SSLContext = True,
    ) -> None:
        """`feed` is the portal's address and `key` a secret key with the scope `read`.

        `kafka` (HOST:PORT,…) is followed instead if it is given, and `organisation` says whose
        models; `feed` then takes reports, and gives what is too large for Kafka. It needs the
        extra `berth[kafka]`; `kafka_properties` are librdkafka's. Or `source` is followed.

        `public_key` is the installation's, as the portal shows it (base64). `folder` keeps
        what was fetched; several processes may share it. `name` is how the portal lists this
        subscriber (the host's name by default). `threads`: how many one prediction may use.

        Raises ValueError for what can't be, OSError where the folder can't be used.
        """
        portal = HttpSource(feed, key, verify_tls=verify_tls) if feed is not None else None
        checked = _public_key(public_key)
        if kafka is not None:
            if organisation is None:
                raise ValueError("Kafka tells of all organisations: say whose models, by its slug.")
            source = _kafka(kafka, checked, portal, kafka_properties)
        followed = source or portal
        if followed is None:
            raise ValueError("A Subscriber needs feed, the portal's address, or kafka.")
        store = Store(folder, checked)
        interest = Interest("published", organisation, frozenset(models))
        self._names = tuple(models)
        self._loaded = _Loaded(store, checked, threads)
        self._follower = Follower(
            followed, store, checked, self._loaded, interest, on_change=self._changed
        )
        self._reporter: Reporter | None = None
        if portal is not None:
            told = name or socket.gethostname()
            self._reporter = Reporter(
                portal.http, ORGANISATION_REPORTS, told, "subscriber", self._about
            )

    def start(self, wait: float = 30.0) -> "Subscriber":
        """Serve what the disk holds and follow; returns once the newest versions answer.

        With the feed away, it returns as soon as every model is there from the disk; else
        after `wait` seconds at the latest, and goes on by itself.
        """
        self._follower.start()
        if self._reporter is not None:
            self._reporter.start()
        self._follower.wait(wait, lambda: self._is_away and self._has_all)
        return self

    def predict(self, model: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The newest version's answer for these rows, as Model.predict gives it.

        Raises ModelWithdrawn, ModelUnavailable, InvalidInput, PredictionError.
        """
        return self._loaded.get(model).predict(rows)

    def model(self, model: str) -> Model:
        """The newest version, to be used for a whole request: it stays the same one.

        Raises ModelWithdrawn, ModelUnavailable.
        """
        return self._loaded.get(model)

    def status(self) -> dict[str, Any]:
        """For a health page: `connected`, `reason` (why not), `position`, and `models` as
        reports say it: the newest line's `version` and `status`, and which version is
        `serving`."""
        reader = self._follower.reader
        connected = reader.has_caught_up and reader.away is None
        return {"connected": connected, "reason": reader.away or "", **self._about()}

    def close(self) -> None:
        """Stop following. What was loaded goes on answering."""
        self._follower.close()
        if self._reporter is not None:
            self._reporter.close()

    def __enter__(self) -> "Subscriber":
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _about(self) -> dict[str, Any]:
        return {"position": self._follower.reader.position, "models": self._follower.models()}

    def _changed(self) -> None:
        if self._reporter is not None:
            self._reporter.changed()

    @property
    def _is_away(self) -> bool:
        return self._follower.reader.away is not None

    @property
    def _has_all(self) -> bool:
        return all(self._loaded.knows(name) for name in self._names)


def _kafka(
    servers: str,
    public_key: Ed25519PublicKey,
    portal: HttpSource | None,
    properties: Mapping[str, str] | None,
) -> Source:
    # here because only who follows Kafka has the extra
    from berth.feed.kafka import KafkaSource

    http = portal.http if portal is not None else None
    return KafkaSource(servers, public_key, http=http, properties=properties)


def _public_key(given: str | Ed25519PublicKey) -> Ed25519PublicKey:
    return public_key(given) if isinstance(given, str) else given
