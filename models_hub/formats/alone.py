"""CatBoost in one thread: where a sandbox does not let it have others, it waits for ever."""

import sys
from functools import wraps
from typing import Any


def predict_alone() -> None:
    """Let CatBoost's models predict in the calling thread, if the library was imported."""
    core: Any = sys.modules.get("catboost.core")
    if core is None or hasattr(core.CatBoost._predict, "__wrapped__"):
        return
    predict = core.CatBoost._predict

    @wraps(predict)
    def alone(
        model: Any,
        data: Any,
        kind: Any,
        start: int,
        end: int,
        threads: int,
        *more: Any,
        **given: Any,
    ) -> Any:
        return predict(model, data, kind, start, end, 1, *more, **given)

    core.CatBoost._predict = alone
