"""A careers site that estimates pay with a model which it follows and runs itself.

The Subscriber keeps the newest published version in this process: an estimate asks nobody,
and goes on when the portal is away.
"""

import atexit
import os
from typing import Any

from flask import Blueprint, Flask, Response, current_app, jsonify, render_template, request

from berth.feed.subscriber import Model, ModelUnavailable, Subscriber
from berth.predictions import PredictionError
from berth.problems import InvalidInput
from careers import form

MODEL = os.environ.get("BERTH_MODEL", "pay")
POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'"
site = Blueprint("site", __name__)


def create_app(subscriber: Subscriber | None = None) -> Flask:
    """The application, following. A server that forks calls this after the fork."""
    followed = subscriber or Subscriber(
        feed=os.environ["BERTH_FEED"],
        key=os.environ["BERTH_KEY"],
        public_key=os.environ["BERTH_PUBLIC_KEY"],
        models=[MODEL],
        folder=os.environ.get("BERTH_FOLDER", "models"),
        name=os.environ.get("BERTH_NAME", "careers-site"),
    )
    followed.start()
    atexit.register(followed.close)
    app = Flask(__name__)
    app.extensions["berth"] = followed
    app.register_blueprint(site)
    app.after_request(_with_policy)
    return app


@site.get("/")
def page() -> str:
    try:
        controls = form.controls(_followed().model(MODEL).signature)
    except ModelUnavailable as reason:
        return render_template("page.html", unavailable=reason.code)
    return render_template("page.html", controls=controls)


@site.post("/estimate")
def estimate() -> tuple[Any, int]:
    """An estimate, as JSON for who sends JSON, else as the page."""
    model = _followed().model(MODEL)  # this one version draws the form, answers and is named
    given = request.get_json() if request.is_json else form.read(model.signature, request.form)
    try:
        answer = model.predict([given])
    except InvalidInput as refusal:
        return _refused(model, form.complaints(model.signature, refusal.errors))
    except PredictionError:
        return _refused(model, {"": "For these answers the model has no estimate."})
    shown = form.estimate(model.signature, answer)
    if request.is_json:
        return jsonify(shown), 200
    controls = form.controls(model.signature, request.form)
    return render_template("page.html", controls=controls, estimate=shown), 200


@site.get("/health")
def health() -> tuple[Response, int]:
    """Which version answers here. The portal may be away: that is no illness."""
    status = _followed().status()
    serving = [known["serving"] for known in status["models"] if known["model"] == MODEL]
    version = serving[0] if serving else None
    body = {"model": MODEL, "version": version, "connected": status["connected"]}
    return jsonify({**body, "reason": status["reason"]}), 200 if version else 503


@site.app_errorhandler(ModelUnavailable)
def unavailable(reason: ModelUnavailable) -> tuple[Any, int]:
    """Withdrawn, or never there: said plainly, never answered with something old."""
    if request.is_json:
        return jsonify(code=reason.code, detail=str(reason)), 503
    return render_template("page.html", unavailable=reason.code), 503


def _refused(model: Model, errors: dict[str, str]) -> tuple[Any, int]:
    if request.is_json:
        return jsonify(errors=errors), 422
    controls = form.controls(model.signature, request.form, errors)
    return render_template("page.html", controls=controls, error=errors.get("")), 422


def _followed() -> Subscriber:
    found: Subscriber = current_app.extensions["berth"]
    return found


def _with_policy(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    return response
