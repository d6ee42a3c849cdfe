"""The applicant's page where their own device answers: what it loads, and what it shows then.

The page's script (`device.js`) reads the values and shows the answer as the server would; all words
come from here. The file's address is public, and only while the model is given away.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from berth.signature import Signature
from models_hub import compact
from models_hub.places import DeviceFile
from portal.errors import BerthError, NotFound
from predictions.engine import ENGINE, Served
from predictions.forms import FormFields, control_of, messages_of, written_choices
from predictions.in_browser import zipped
from predictions.widget.estimate import Estimate, Likelihood, doubt_of
from predictions.widget.facts import WIDGETS, WidgetFacts
from predictions.widget.loader import gzipped

ALONE = "This form computes on your own device, which needs JavaScript. Nothing was sent on."
WASM = "ort-wasm-simd-threaded.wasm"
_DOUBTS = ("not_whole", "outside_range", "unknown_choice")


@dataclass(frozen=True, slots=True)
class OnDevice:
    """`file` is the model's whole address, `alone` says that the server does not answer as well."""

    file: str
    lane: str
    signature: Signature
    version: int
    alone: bool
    folder: str

    @property
    def reached(self) -> tuple[str, ...]:
        """All that the page may fetch."""
        heavy = self.lane == compact.HEAVY
        return (self.file, self.folder + WASM) if heavy else (self.file,)

    @property
    def engines(self) -> tuple[str, ...]:
        """What else than scripts of ours the page may run."""
        return ("'wasm-unsafe-eval'",) if self.lane == compact.HEAVY else ()

    @property
    def words(self) -> dict[str, Any]:
        """What `device.js` needs beside the file: each field's control and its messages."""
        drawn = FormFields(self.signature)
        fields = [
            {
                "name": field.name,
                "input": shown.name,
                "id": shown.id,
                "target": shown.target,
                "label": shown.label,
                "control": control_of(field),
                "written": written_choices(field),
                "messages": messages_of(field),
                "doubts": {code: doubt_of(field, code) for code in _DOUBTS},
            }
            for field, shown in zip(self.signature.inputs, drawn, strict=True)
        ]
        return {"file": self.file, "lane": self.lane, "folder": self.folder, "fields": fields}

    def shape(self, widget: WidgetFacts) -> Mapping[str, Any]:
        """Stand-ins with each part that an answer or a refusal can have; the script fills them."""
        nothing = Likelihood("", 50)
        is_number = self.signature.output.kind == "regression"
        estimate = Estimate(
            "", "", is_number, "-", (nothing,), ("",), self.version, event="{}"
        )  # fmt: skip
        wrong = {"target": "", "label": "", "error": "-", "id": ""}
        return {"estimate": estimate, "wrong": {"errors": [wrong], "general": ""}, "field": wrong}


def on_device(
    request: HttpRequest, widget: WidgetFacts, served: Served, signature: Signature
) -> OnDevice | None:
    """How the page lets the device answer; None where that is switched off or can't be."""
    if served.device is None:
        return None
    path = reverse("widget-file", args=[widget.key.id, served.device.sha256])
    return OnDevice(
        file=request.build_absolute_uri(path),
        lane=served.device.lane,
        signature=signature,
        version=served.number,
        alone=not served.active,
        folder=request.build_absolute_uri(reverse("widget-engine", args=[WASM]).removesuffix(WASM)),
    )


@require_safe
def model_file(request: HttpRequest, key: str, sha256: str) -> HttpResponseBase:
    """``/w/<pk>/bundle/<sha256>.berth``: the live version's file, while it is given away.

    Pages of the widget's sites may read it; what it is never changes, so caches may keep it.
    """
    try:
        widget = WIDGETS.find(key)
        device = _given(widget)
        if device.sha256 != sha256:
            raise NotFound("file")
        data = zipped(widget.organisation_id, sha256)
    except BerthError as error:
        return HttpResponse(error.title, status=error.status, content_type="text/plain")
    response = gzipped(request, data, "application/octet-stream")
    response["ETag"] = f'"{sha256}"'
    response["Access-Control-Allow-Origin"] = _reader(request, widget)
    patch_vary_headers(response, ["Origin"])
    return response


def _given(widget: WidgetFacts) -> DeviceFile:
    """The file that the widget gives away now. Raises NotFound where it gives none."""
    if not widget.model:
        raise NotFound("file")
    device = ENGINE.find(widget.organisation_id, widget.model).device
    if device is None:
        raise NotFound("file")
    return device


def _reader(request: HttpRequest, widget: WidgetFacts) -> str:
    origin = request.headers.get("Origin", "")
    own = f"{request.scheme}://{request.get_host()}"
    return origin if origin in widget.origins else own
