"""Pipelines trained and converted once a session, and versions sealed from them in no time."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd
import polars as pl
import skops.io
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.feature_selection import SelectPercentile, f_regression
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from berth.signature import Signature
from models_hub import sealing
from models_hub.actions import create_model, promote
from models_hub.conversion.convert import convert
from models_hub.conversion.sample import Sample
from models_hub.models import HostedModel, Version
from portal import tenancy
from portal.access import system
from portal.models import Organisation
from tests.models_hub import zoo

SEED = 5
CPS_NUMBERS = ["education", "experience"]
CPS_TEXTS = ["ethnicity", "smsa", "region", "parttime"]


@dataclass(frozen=True)
class Trained:
    """A fitted pipeline with the rows it saw, and what the conversion made of it."""

    pipeline: Pipeline
    rows: pd.DataFrame
    target: pd.Series
    onnx: bytes
    signature: Signature

    def instances(self, count: int, start: int = 0) -> list[dict[str, Any]]:
        """Some of the rows as a caller sends them: missing values are null."""
        names = [field.name for field in self.signature.inputs]
        rows = self.rows[names].iloc[start : start + count].to_dict("records")
        return [{str(k): None if pd.isna(v) else v for k, v in row.items()} for row in rows]

    def predict(self, instances: list[dict[str, Any]]) -> list[Any]:
        """What scikit-learn itself says."""
        frame = pd.DataFrame(instances).reindex(columns=self.rows.columns)
        return list(self.pipeline.predict(frame.astype(self.rows.dtypes)))

    @property
    def skops(self) -> bytes:
        """The file that a customer brings."""
        return bytes(skops.io.dumps(self.pipeline))

    @property
    def sample(self) -> bytes:
        """A CSV of real rows with the target."""
        stream = io.StringIO()
        pd.concat([self.rows, self.target], axis=1).to_csv(stream, index=False)
        return stream.getvalue().encode()


def _trained(pipeline: Pipeline, rows: pd.DataFrame, target: pd.Series) -> Trained:
    pipeline.fit(rows, target)
    columns = {name: [None if pd.isna(v) else v for v in rows[name]] for name in rows}
    sample = Sample(pl.DataFrame(columns), pl.Series(str(target.name), target.tolist()))
    found = convert(pipeline, sample, str(target.name), SEED, lambda name, detail: None)
    return Trained(pipeline, rows, target, found.graph(), found.signature)


@cache
def wages() -> Trained:
    """A regression that handles gaps in its numbers and texts, and cities it never saw."""
    people = zoo.people()
    return _trained(
        zoo.usual(zoo.boost(), SelectPercentile(f_regression, percentile=80)),
        people[zoo.NUMBERS + zoo.TEXTS],
        people["wage"],
    )


@cache
def grades() -> Trained:
    """A classification with three labels."""
    people = zoo.people()
    labels = pd.Series(zoo.TARGETS["three"](people["wage"]), name="grade")
    rows = people[zoo.NUMBERS + zoo.TEXTS]
    return _trained(zoo.usual(LogisticRegression(max_iter=500)), rows, labels)


@cache
def cps() -> Trained:
    """The wages of 28,155 people (CPS 1988): imputer, scaler, one-hot, selection, boosting."""
    frame = pd.read_csv(zoo.CPS)
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    pipeline = make_pipeline(
        zoo.table((numbers, CPS_NUMBERS), (zoo.texts(), CPS_TEXTS)),
        SelectPercentile(f_regression, percentile=80),
        GradientBoostingRegressor(n_estimators=50, random_state=0),
    )
    return _trained(pipeline, frame[CPS_NUMBERS + CPS_TEXTS], frame["wage"])


def seal(
    organisation: Organisation,
    slug: str,
    trained: Trained,
    signature: Signature | None = None,
    report: Mapping[str, Any] | None = None,
) -> Version:
    """The model's next version, ready; the model is made if it must be."""
    caller = system(organisation.pk)
    with tenancy.scope(organisation.pk):
        model = HostedModel.objects.filter(slug=slug).first()
        model = model or create_model(caller, slug, slug.title())
        number = Version.objects.filter(model=model).count() + 1
        version = Version(
            organisation=organisation,
            model=model,
            number=number,
            status=Version.Status.READY,
            format="skops",
            filename="model.skops",
            sha256=f"{number:064}",
            size=len(trained.onnx),
            created_by="test",
            report=dict(report or {}),
        )
        golden: Mapping[str, Any] = {"instances": [], "predictions": []}
        sealing.seal(version, trained.onnx, signature or trained.signature, {"golden": golden})
        version.save(force_insert=True)
    return version


def publish(
    organisation: Organisation, slug: str, trained: Trained, signature: Signature | None = None
) -> Version:
    """``seal``, and make it the live version."""
    version = seal(organisation, slug, trained, signature)
    with tenancy.scope(organisation.pk):
        promote(system(organisation.pk), slug, version.number)
    return version
