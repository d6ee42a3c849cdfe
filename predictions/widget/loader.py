"""``/widget/v1.js``: the element that shows the applicant's page on other sites; and the engine of
the heavy lane, which is large and never changes under its name."""

import gzip
import hashlib
from functools import cache

from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from django.utils.http import quote_etag
from django.views.decorators.http import condition, require_safe

_PATH = "berth/widget/v1.js"


@cache
def _source() -> bytes:
    found = finders.find(_PATH)
    if not isinstance(found, str):
        raise FileNotFoundError(_PATH)
    with open(found, "rb") as stream:
        return stream.read()


ENGINE = "onnxruntime-web-1.30.0"
_ENGINE_FILES = {
    "ort.wasm.min.mjs": "text/javascript",
    "ort-wasm-simd-threaded.mjs": "text/javascript",
    "ort-wasm-simd-threaded.wasm": "application/wasm",
}


@cache
def _engine_file(name: str) -> bytes:
    """One of the engine's files, gzipped; the large one lies so in the repository."""
    found = finders.find(f"berth/vendor/{ENGINE}/{name}")
    if isinstance(found, str):
        with open(found, "rb") as stream:
            return gzip.compress(stream.read(), mtime=0)
    found = finders.find(f"berth/vendor/{ENGINE}/{name}.gz")
    if not isinstance(found, str):
        raise FileNotFoundError(name)
    with open(found, "rb") as stream:
        return stream.read()


@require_safe
def engine(request: HttpRequest, name: str) -> HttpResponse:
    """``/widget/onnxruntime-web-…/<name>``: a file of the heavy lane's engine."""
    if name not in _ENGINE_FILES:
        return HttpResponse("Not found", status=404, content_type="text/plain")
    return gzipped(request, _engine_file(name), _ENGINE_FILES[name])


def gzipped(request: HttpRequest, data: bytes, content_type: str) -> HttpResponse:
    """What is gzipped already, for whoever takes that, else plain; caches may keep it for good."""
    takes_gzip = "gzip" in request.headers.get("Accept-Encoding", "")
    body = data if takes_gzip else gzip.decompress(data)
    response = HttpResponse(body, content_type=content_type)
    if takes_gzip:
        response["Content-Encoding"] = "gzip"
    response["Cache-Control"] = "public, max-age=31536000, immutable"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    patch_vary_headers(response, ["Accept-Encoding"])
    return response


def _etag(request: HttpRequest) -> str:
    return quote_etag(hashlib.sha256(_source()).hexdigest()[:32])


@require_safe
@condition(etag_func=_etag)
def loader(request: HttpRequest) -> HttpResponse:
    """The module, for any site: modules are fetched with CORS, and nothing in it is secret."""
    return HttpResponse(
        _source(),
        content_type="text/javascript; charset=utf-8",
        headers={
            "Access-Control-Allow-Origin": "*",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "Cache-Control": "public, max-age=3600, stale-while-revalidate=86400",
        },
    )
