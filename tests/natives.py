"""Models that have no ONNX: fitted once a session, and versions sealed from them in no time."""

import io
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any

import cloudpickle
import joblib
import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from berth.signature import Signature
from models_hub import native, sealing, storage
from models_hub.actions import create_model, promote
from models_hub.conversion.convert import convert
from models_hub.models import Version
from models_hub.sandbox.native import Recipe
from portal import tenancy
from portal.access import system
from portal.models import Organisation
from tests.models_hub import zoo

#: What the model of `own` does where somebody has so many years of experience.
DIES, SLEEPS, HOARDS, KNOWS_NOT, WORKS_ON = 666.0, 777.0, 888.0, 555.0, 333.0


@dataclass(frozen=True)
class Native:
    """A fitted pipeline, the file that a customer brings, and how it runs."""

    pipeline: Pipeline
    file: bytes
    recipe: Recipe

    @property
    def signature(self) -> Signature:
        return self.recipe.signature

    def instances(self, count: int) -> list[dict[str, Any]]:
        """Rows as a caller sends them."""
        names = [field.name for field in self.signature.inputs]
        rows = zoo.people()[names].head(count).to_dict("records")
        return [{str(k): None if pd.isna(v) else v for k, v in row.items()} for row in rows]

    def predict(self, instances: list[dict[str, Any]]) -> list[Any]:
        """What scikit-learn itself says."""
        people = zoo.people()
        names = list(self.pipeline.feature_names_in_)
        frame = pd.DataFrame(instances).reindex(columns=names)
        return list(self.pipeline.predict(frame.astype(people[names].dtypes)))


def _native(pipeline: Pipeline, file: bytes, own_code: bool = False) -> Native:
    found = convert(pipeline, None, "wage", 5, lambda name, detail: None)
    return Native(pipeline, file, Recipe("joblib", found.signature, (), own_code))


@cache
def odd() -> Native:
    """Neighbours by a distance that no graph knows."""
    people = zoo.people()
    pipeline = zoo.usual(KNeighborsRegressor(metric="canberra"))
    pipeline.fit(people[zoo.NUMBERS + zoo.TEXTS], people["wage"])
    return _native(pipeline, dumped(pipeline))


@cache
def odd_levels() -> Native:
    """The same, for three labels."""
    people = zoo.people()
    pipeline = zoo.usual(KNeighborsClassifier(metric="canberra"))
    pipeline.fit(people[zoo.NUMBERS + zoo.TEXTS], zoo.TARGETS["three"](people["wage"]))
    return _native(pipeline, dumped(pipeline))


@cache
def own() -> Native:
    """A model with a function of its author's, which does terrible things at certain numbers."""
    people = zoo.people().dropna()
    pipeline = make_pipeline(FunctionTransformer(_moods), LinearRegression())
    pipeline.fit(people[zoo.NUMBERS], people["wage"])
    return _native(pipeline, _by_value(pipeline), own_code=True)


def random_file() -> bytes:
    """A model that answers otherwise each time."""
    people = zoo.people().dropna()
    pipeline = make_pipeline(FunctionTransformer(_shaken), LinearRegression())
    return _by_value(pipeline.fit(people[zoo.NUMBERS], people["wage"]))


def _by_value(pipeline: Pipeline) -> bytes:
    """As cloudpickle writes it, with the functions of this module inside."""
    module = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)
    try:
        return bytes(cloudpickle.dumps(pipeline))
    finally:
        cloudpickle.unregister_pickle_by_value(module)


def _shaken(frame):  # type: ignore[no-untyped-def]  # see _moods
    return frame * np.random.default_rng().normal(1.0, 0.1, (len(frame), 1))


def _moods(frame):  # type: ignore[no-untyped-def]  # an annotation would be one more name to bring
    import os  # this function travels alone
    import threading
    import time

    found = set(np.asarray(frame)[:, 1].tolist())
    if 666.0 in found:
        os._exit(9)
    if 777.0 in found:
        time.sleep(60)
    if 333.0 in found:  # it goes on when it has answered
        work = "while True: pass"
        threading.Thread(target=exec, args=(work,), daemon=True).start()
    if 888.0 in found:
        return bytearray(16 << 30)
    return frame.replace(555.0, np.nan).fillna(np.inf) if 555.0 in found else frame


def dumped(pipeline: Any) -> bytes:
    """As joblib writes it."""
    stream = io.BytesIO()
    joblib.dump(pipeline, stream)
    return stream.getvalue()


def publish(organisation: Organisation, slug: str, model: Native) -> Version:
    """A model whose first version runs natively and is live."""
    caller = system(organisation.pk)
    with tenancy.scope(organisation.pk):
        version = Version(
            organisation=organisation,
            model=create_model(caller, slug, slug.title()),
            number=1,
            status=Version.Status.READY,
            format="joblib",
            filename="model.joblib",
            sha256=storage.put_bytes(organisation.pk, model.file),
            size=len(model.file),
            report={"runtime": "native", "own_code": model.recipe.own_code},
            created_by="test",
        )
        sealing.seal(
            version, b"", model.signature, {"golden": {}, **native.manifest_of(model.recipe)}
        )
        version.save(force_insert=True)
        promote(caller, slug, 1)
    return version
