"""The light lane in Chromium: from the model's bytes to the first prediction, in a new page."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import orjson
from playwright.sync_api import Page, Route, sync_playwright
from sklearn.pipeline import Pipeline

from benchmarks.pipeline import Question
from benchmarks.servers import Broken
from models_hub.browser.measuring import LIGHT_JS, measure
from models_hub.conversion.convert import convert
from models_hub.conversion.loading import load
from models_hub.conversion.parity import predict
from models_hub.conversion.rows import parity_rows
from models_hub.formats.onnx_vetting import vet

SITE = "http://careers.test"
_ASK = """async (row) => {
  const { open } = await import("/light.js");
  const buffer = await (await fetch("/model.berth")).arrayBuffer();
  const arrived = performance.now();
  const model = open(buffer);
  model.verify();
  const { predictions } = model.predict([row]);
  return [performance.now() - arrived, predictions[0]];
}"""


def first_predictions(pipeline: Pipeline, asked: Question, pages: int) -> list[float] | None:
    """Milliseconds in each of so many pages; None where there is no Chromium."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        return None
    row = orjson.loads(asked.body)["instances"][0]
    took = []
    with _site(program, _file(pipeline)) as pages_of:
        for _ in range(pages):
            page = pages_of()
            milliseconds, prediction = page.evaluate(_ASK, row)
            page.close()
            if not np.isclose(prediction, asked.expected[0], rtol=1e-5, atol=0.0):
                raise Broken(f"The light lane answers {prediction}.")
            took.append(milliseconds)
    return took


def _file(pipeline: Pipeline) -> bytes:
    """What a page loads: as the judge of an upload makes it."""
    found = convert(pipeline, None, "pay", 1, lambda name, detail: None)
    model = vet(found.graph())
    columns = parity_rows(found.signature, found.spans, None, 1)
    columns = {name: cells[found.mask] for name, cells in columns.items()}
    got = predict(load(model.SerializeToString(), found.signature), columns)
    outcome = measure(model, found.signature, columns, len(got.values), got)
    if outcome.report["lane"] != "light":
        raise Broken(f"The light lane is closed: {outcome.report['reason']}")
    return outcome.data


@contextmanager
def _site(program: str, model: bytes) -> Iterator[Any]:
    """A browser, and what makes a page of a site that has the interpreter and the model."""
    files = {"/": (b"<!doctype html>", "text/html"), "/model.berth": (model, "application/x-berth")}
    files["/light.js"] = (LIGHT_JS.read_bytes(), "text/javascript")

    def answer(route: Route) -> None:
        body, kind = files[route.request.url.removeprefix(SITE)]
        route.fulfill(body=body, content_type=kind)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])

        def page() -> Page:
            made = browser.new_context().new_page()
            made.route(f"{SITE}/**", answer)
            made.goto(f"{SITE}/")
            return made

        yield page
        browser.close()
