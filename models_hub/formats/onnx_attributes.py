"""Do the attributes of a node agree with each other? Runtimes index one by another.

The counts are those of the ai.onnx.ml specification (version 3) and of onnxruntime's kernels.
"""

from collections.abc import Callable
from typing import Any

from models_hub.formats.onnx_tensors import check_tree
from models_hub.formats.refusal import Refused

MAX_WIDTH = 100_000


def check_attributes(node: Any) -> None:
    """Raise `Refused` (`onnx_attributes_invalid`, `onnx_tree_invalid`) for a node whose
    attributes contradict each other."""
    check = _CHECKS.get((node.domain, node.op_type))
    if check is not None:
        check(node)


class _Counts:
    """How many values each attribute of a node has."""

    def __init__(self, node: Any) -> None:
        self._kind = node.op_type
        self._by_name = {attribute.name: attribute for attribute in node.attribute}

    def __call__(self, name: str) -> int:
        found = self._by_name.get(name)
        return 0 if found is None else max(map(len, (found.floats, found.ints, found.strings)))

    def ints(self, name: str) -> list[int]:
        """The whole numbers of a list."""
        return list(self._by_name[name].ints) if name in self._by_name else []

    def number(self, name: str, default: int) -> int:
        """One whole number."""
        return int(self._by_name[name].i) if name in self._by_name else default

    def labels(self) -> int:
        """How many class labels there are; a classifier has them as texts or as numbers."""
        names = ("classlabels_strings", "classlabels_int64s", "classlabels_ints")
        return sum(self(name) for name in names)

    def demand(self, sound: bool) -> None:
        """Raise `Refused` unless `sound`."""
        if not sound:
            raise Refused(
                "onnx_attributes_invalid",
                f"The attributes of a {self._kind} do not fit each other: export the model again.",
            )


def _linear_regressor(node: Any) -> None:
    of = _Counts(node)
    targets = of.number("targets", 1)
    of.demand(1 <= targets <= MAX_WIDTH and of("coefficients") > 0)
    of.demand(of("coefficients") % targets == 0 and of("intercepts") in (0, targets))


def _linear_classifier(node: Any) -> None:
    of = _Counts(node)
    rows = of("intercepts") or of.labels()
    of.demand(of("coefficients") > 0 and rows > 0 and of("coefficients") % rows == 0)
    of.demand(of.labels() == rows or (of.labels(), rows) == (2, 1))


def _support_regressor(node: Any) -> None:
    of = _Counts(node)
    held = of.number("n_supports", 0)
    of.demand(held >= 0 and of("rho") == 1 and of("kernel_params") in (0, 3))
    of.demand(of("coefficients") > 0 and (not held or of("coefficients") == held))
    of.demand(not held or (of("support_vectors") > 0 and of("support_vectors") % held == 0))


def _support_classifier(node: Any) -> None:
    of = _Counts(node)
    each = of.ints("vectors_per_class")
    held, classes = sum(each), of.labels()
    pairs = classes * (classes - 1) // 2
    of.demand(classes > 1 and of("kernel_params") in (0, 3) and of("coefficients") > 0)
    of.demand(of("prob_a") == of("prob_b") and of("prob_a") in (0, pairs))
    if not each:  # a linear machine: one row of coefficients a class
        of.demand(of("coefficients") % classes == 0 and of("rho") in (1, classes, pairs))
        return
    of.demand(len(each) == classes and min(each) >= 0 and held > 0 and of("rho") == pairs)
    of.demand(of("support_vectors") > 0 and of("support_vectors") % held == 0)
    of.demand(of("coefficients") == held * (classes - 1))


def _label_encoder(node: Any) -> None:
    of = _Counts(node)
    keys, values = (
        sum(of(f"{side}_{kind}") for kind in ("strings", "int64s", "floats"))
        for side in ("keys", "values")
    )
    of.demand(keys == values)


def _category_mapper(node: Any) -> None:
    of = _Counts(node)
    of.demand(of("cats_strings") == of("cats_int64s"))


def _feature_vectorizer(node: Any) -> None:
    of = _Counts(node)
    widths = of.ints("inputdimensions")
    of.demand(len(widths) == len(node.input) and all(0 < width <= MAX_WIDTH for width in widths))


def _scaler(node: Any) -> None:
    of = _Counts(node)
    of.demand(of("offset") == of("scale") > 0)


_ML = "ai.onnx.ml"
_CHECKS: dict[tuple[str, str], Callable[[Any], None]] = {
    (_ML, "CategoryMapper"): _category_mapper,
    (_ML, "FeatureVectorizer"): _feature_vectorizer,
    (_ML, "LabelEncoder"): _label_encoder,
    (_ML, "LinearClassifier"): _linear_classifier,
    (_ML, "LinearRegressor"): _linear_regressor,
    (_ML, "SVMClassifier"): _support_classifier,
    (_ML, "SVMRegressor"): _support_regressor,
    (_ML, "Scaler"): _scaler,
    (_ML, "TreeEnsembleClassifier"): check_tree,
    (_ML, "TreeEnsembleRegressor"): check_tree,
}
