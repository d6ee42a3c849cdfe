"""The permission matrix: every address, who may use it, and that outsiders find nothing there.

A new address fails the first test until it has its line here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import time
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline

from portal import tenancy
from portal.access import ROLE_PERMISSIONS, Permission, system
from portal.actions import create_key, invite
from portal.models import Membership, Role
from predictions.actions import create_widget
from predictions.models import Prediction
from tests.cast import Cast
from tests.runtime.conftest import trained
from tests.workers.conftest import publish
from workers.erasures import request_erasure
from workers.models import Job, Schedule
from workers.webhooks.actions import create_endpoint, send_test

pytestmark = pytest.mark.django_db(databases=["default", "owner"])

READ, PREDICT, JOBS = Permission.READ, Permission.PREDICT, Permission.JOBS
PUBLISH, MANAGE, OWN = Permission.PUBLISH, Permission.MANAGE, Permission.OWN
SERVE = Permission.SERVE


@dataclass(frozen=True)
class Rule:
    """What an address asks of its caller, ``or_else`` what will do too. ``of`` names the object in
    its address, if any."""

    method: str
    needs: Permission | None = None
    of: str = ""
    body: dict[str, Any] = field(default_factory=dict)
    or_else: Permission | None = None


PLAN: dict[str, Any] = {"name": "P", "every": "day", "at": "02:30", "zone": "UTC"}
HOOK: dict[str, Any] = {"url": "https://example.com/", "events": ["job.failed"]}

API: dict[str, list[Rule]] = {
    "api-models": [Rule("get", READ), Rule("post", PUBLISH, body={"slug": "n", "name": "N"})],
    "api-model": [Rule("get", READ, "model")],
    "api-versions": [Rule("get", READ, "model"), Rule("post", PUBLISH, "model", {"artifact": "f"})],
    "api-version": [Rule("get", READ, "version"), Rule("delete", PUBLISH, "version")],
    "api-signature": [Rule("post", PUBLISH, "version", {"inputs": []})],
    "api-promote": [Rule("post", PUBLISH, "version")],
    "api-rollback": [Rule("post", PUBLISH, "model")],
    "api-withdraw": [Rule("post", PUBLISH, "model")],
    "api-deployment": [Rule("put", PUBLISH, "deployment", {"is_active": True})],
    "api-feed": [Rule("get", READ)],
    "api-feed-reports": [Rule("post", READ, or_else=SERVE)],
    "api-server-reports": [Rule("post", SERVE)],
    "api-server-predictions": [Rule("post", SERVE)],
    "api-bundle": [Rule("get", READ, "bundle", or_else=SERVE)],
    "api-server-models": [Rule("get", SERVE)],
    "api-server-keys": [Rule("get", SERVE)],
    "api-server-public-key": [Rule("get", READ, or_else=SERVE)],
    "api-predict": [Rule("post", PREDICT, "model", {"instances": [{}]})],
    "api-prediction": [Rule("get", READ, "prediction")],
    "api-jobs-of-model": [Rule("post", JOBS, "model", {"file": "f"})],
    "api-incoming": [Rule("get", JOBS)],
    "api-jobs": [Rule("get", READ)],
    "api-job": [Rule("get", READ, "job"), Rule("delete", JOBS, "job")],
    "api-job-rows": [Rule("get", READ, "job")],
    "api-job-result": [Rule("get", READ, "job")],
    "api-job-errors": [Rule("get", READ, "job")],
    "api-job-retry": [Rule("post", JOBS, "job")],
    "api-job-cancel": [Rule("post", JOBS, "job")],
    "api-job-resume": [Rule("post", JOBS, "job")],
    "api-schedules-of-model": [Rule("post", JOBS, "model", {"file": "f", **PLAN})],
    "api-schedules": [Rule("get", READ)],
    "api-schedule": [
        Rule("get", READ, "schedule"),
        Rule("put", JOBS, "schedule", PLAN),
        Rule("delete", JOBS, "schedule"),
    ],
    "api-schedule-file": [Rule("post", JOBS, "schedule", {"file": "f"})],
    "api-schedule-runs": [Rule("get", READ, "schedule"), Rule("post", JOBS, "schedule")],
    "api-schedule-pause": [Rule("post", JOBS, "schedule")],
    "api-schedule-resume": [Rule("post", JOBS, "schedule")],
    "api-webhooks": [Rule("get", MANAGE), Rule("post", MANAGE, body=HOOK)],
    "api-webhook": [
        Rule("get", MANAGE, "webhook"),
        Rule("put", MANAGE, "webhook", HOOK),
        Rule("delete", MANAGE, "webhook"),
    ],
    "api-webhook-rotate": [Rule("post", MANAGE, "webhook")],
    "api-webhook-enable": [Rule("post", MANAGE, "webhook")],
    "api-webhook-disable": [Rule("post", MANAGE, "webhook")],
    "api-webhook-test": [Rule("post", MANAGE, "webhook")],
    "api-deliveries": [Rule("get", MANAGE, "webhook")],
    "api-delivery-resend": [Rule("post", MANAGE, "delivery")],
    "api-erasures": [Rule("get", MANAGE), Rule("post", MANAGE, body={"key": "k"})],
    "api-erasure": [Rule("get", MANAGE, "erasure")],
}

PAGES: dict[str, list[Rule]] = {
    "home": [Rule("get")],
    "settings": [Rule("get")],
    "keeping": [Rule("post", MANAGE, body={"keeping-keep_inputs": "yes"})],
    "erase": [Rule("post", MANAGE, body={"key": "k"})],
    "own-code": [Rule("post", MANAGE, body={"allowed": "yes"})],
    "organisation-name": [Rule("post", OWN, body={"organisation-name": "Acme 2"})],
    "person-mails": [Rule("post", body={"wanted": "no"})],
    "person-name": [Rule("post", body={"person-name": "Al"})],
    "switch": [Rule("post", body={"organisation": "other"})],
    "leave": [Rule("post")],
    "keys": [Rule("get", MANAGE)],
    "key-new": [Rule("post", MANAGE, body={"name": "k", "scopes": ["read"]})],
    "key-revoke": [Rule("post", MANAGE, "key")],
    "team": [Rule("get", READ)],
    "invite": [Rule("post", MANAGE, body={"email": "dan@acme.example", "role": "viewer"})],
    "member-role": [Rule("post", MANAGE, "member", {"role": "viewer"})],
    "member-remove": [Rule("post", MANAGE, "member")],
    "invitation-revoke": [Rule("post", MANAGE, "invitation")],
    "audit": [Rule("get", MANAGE)],
    "audit-export": [Rule("get", MANAGE)],
    "models": [Rule("get", READ)],
    "model-new": [Rule("post", PUBLISH, body={"name": "N", "slug": "n"})],
    "model": [Rule("get", READ, "model")],
    "rollback": [Rule("post", PUBLISH, "model")],
    "withdraw": [Rule("post", PUBLISH, "model")],
    "upload": [Rule("post", PUBLISH, "model", {"artifact": "f"})],
    "versions": [Rule("get", READ, "model")],
    "version": [Rule("get", READ, "version")],
    "stages": [Rule("get", READ, "version")],
    "version-delete": [Rule("post", PUBLISH, "version")],
    "promote": [Rule("post", PUBLISH, "version")],
    "signature": [Rule("post", PUBLISH, "version")],
    "try": [Rule("get", READ, "model"), Rule("post", PREDICT, "model")],
    "deploy": [Rule("get", READ, "model")],
    "choose": [Rule("get", READ, "model")],
    "deployment": [Rule("post", PUBLISH, "deployment", {"is_active": "1"})],
    "widgets": [Rule("get", READ)],
    "widget-new": [Rule("post", MANAGE, body={"title": "W"})],
    "widget": [Rule("get", READ, "widget"), Rule("post", MANAGE, "widget")],
    "widget-close": [Rule("post", MANAGE, "widget")],
    "jobs": [Rule("get", READ)],
    "job-new": [Rule("post", JOBS, body={"file": "f"})],
    "job": [Rule("get", READ, "job")],
    "job-progress": [Rule("get", READ, "job")],
    "job-cancel": [Rule("post", JOBS, "job")],
    "job-resume": [Rule("post", JOBS, "job")],
    "job-delete": [Rule("post", JOBS, "job")],
    "job-result": [Rule("get", READ, "job")],
    "schedules": [Rule("get", READ)],
    "schedule-new": [Rule("post", JOBS, body={"file": "f", "model": "salary", **PLAN})],
    "schedule": [Rule("get", READ, "schedule")],
    "schedule-edit": [Rule("post", JOBS, "schedule", PLAN)],
    "schedule-run": [Rule("post", JOBS, "schedule")],
    "schedule-pause": [Rule("post", JOBS, "schedule")],
    "schedule-resume": [Rule("post", JOBS, "schedule")],
    "schedule-delete": [Rule("post", JOBS, "schedule")],
    "webhooks": [Rule("get", MANAGE)],
    "webhook-new": [Rule("post", MANAGE, body=HOOK)],
    "webhook": [Rule("get", MANAGE, "webhook")],
    "webhook-edit": [Rule("post", MANAGE, "webhook", HOOK)],
    "webhook-rotate": [Rule("post", MANAGE, "webhook")],
    "webhook-enable": [Rule("post", MANAGE, "webhook")],
    "webhook-disable": [Rule("post", MANAGE, "webhook")],
    "webhook-test": [Rule("post", MANAGE, "webhook")],
    "webhook-delete": [Rule("post", MANAGE, "webhook")],
    "delivery-resend": [Rule("post", MANAGE, "delivery")],
    "job-errors": [Rule("get", READ, "job")],
    "job-retry": [Rule("post", JOBS, "job")],
}

# Open to anybody: they show nothing of an organisation, or are opened by a proof of their own.
OPEN = {
    "health-live",
    "health-ready",
    "invitation",
    "applicant",
    "widget-loader",
    "widget-file",
    "widget-engine",
    "demo-careers",
    "openapi",
    "docs",
    "docs-script",
    "problems",
    "problem",
}


def addresses(resolver: URLResolver) -> Iterator[str | None]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern)
        elif isinstance(pattern, URLPattern):
            yield pattern.name


def test_every_address_stands_in_the_matrix() -> None:
    names = {name for name in addresses(get_resolver()) if name}
    ours = {name for name in names if not name.startswith("account_")}
    assert ours == set(API) | set(PAGES) | (OPEN & names)


@pytest.fixture(scope="session")
def pipeline() -> Pipeline:
    return trained(LinearRegression(), lambda frame: frame.experience + frame.education)


@pytest.fixture
def world(cast: Cast, pipeline: Pipeline) -> dict[str, dict[str, Any]]:
    """One of each kind of object in Acme, by how its addresses name it."""
    version = publish(cast.acme, "salary", pipeline)
    caller = system(cast.acme.pk)
    with tenancy.scope(cast.acme.pk):
        prediction = Prediction.objects.create(
            id=uuid4(),
            at=timezone.now(),
            model="salary",
            version=1,
            source="test",
            rows=1,
            milliseconds=1,
            request="{}",
            response="{}",
        )
        job = Job.objects.create(
            version=version, filename="x.csv", format="csv", sha256="0", size=1, created_by="x"
        )
        schedule = Schedule.objects.create(
            name="Nightly",
            model=version.model,
            source={"kind": "file", "filename": "x.csv", "format": "csv", "sha256": "0", "size": 1},
            every="day",
            at=time(2, 30),
            zone="UTC",
            next_slot=timezone.now(),
            created_by="x",
        )
        webhook = create_endpoint(caller, **HOOK).row
        delivery = send_test(caller, webhook.pk)
        erasure = request_erasure(caller, "k")
        member = Membership.objects.get(user=cast.bob)
        invitation, _ = invite(caller, "dan@acme.example", Role.VIEWER)
        key = create_key(caller, "k", ["read"]).row
        widget = create_widget(caller, "careers", "salary")
    return {
        "": {},
        "model": {"slug": "salary"},
        "version": {"slug": "salary", "number": 1},
        "bundle": {"sha256": version.bundle_sha256},
        "deployment": {"slug": "salary", "architecture": "embedded"},
        "prediction": {"prediction_id": prediction.pk},
        "job": {"job_id": job.pk},
        "schedule": {"schedule_id": schedule.pk},
        "webhook": {"endpoint_id": webhook.pk},
        "delivery": {"endpoint_id": webhook.pk, "delivery_id": delivery.pk},
        "erasure": {"erasure_id": erasure.pk},
        "member": {"member_id": member.pk},
        "invitation": {"invitation_id": invitation.pk},
        "key": {"key_id": key.pk},
        "widget": {"key": widget.key_id},
    }


def rules(matrix: dict[str, list[Rule]]) -> list[Any]:
    return [
        pytest.param(name, rule, id=f"{rule.method} {name}")
        for name, lines in matrix.items()
        for rule in lines
    ]


def call(client: Client, name: str, rule: Rule, world: dict[str, dict[str, Any]]) -> Any:
    address = reverse(name, kwargs=world[rule.of])
    files = {k: SimpleUploadedFile("x.onnx", b"x") for k, v in rule.body.items() if v == "f"}
    if rule.method == "get":
        return client.get(address)
    if name.startswith("api-") and not files:
        return getattr(client, rule.method)(address, rule.body, content_type="application/json")
    return client.post(address, {**rule.body, **files})


@pytest.mark.parametrize(("name", "rule"), rules(API))
def test_the_api_asks_for_a_key_and_for_its_scope(
    name: str, rule: Rule, cast: Cast, world: dict[str, dict[str, Any]]
) -> None:
    assert call(Client(), name, rule, world).status_code == 401
    others = [p.value for p in Permission if p not in (rule.needs, rule.or_else, OWN)]
    answer = call(cast.api(*others), name, rule, world)
    assert answer.status_code == 403, answer.content
    assert rule.needs in answer.json()["detail"]


@pytest.mark.parametrize(("name", "rule"), [p for p in rules(API) if p.values[1].of])
def test_the_api_shows_an_outsider_nothing(
    name: str, rule: Rule, cast: Cast, world: dict[str, dict[str, Any]]
) -> None:
    answer = call(cast.api(organisation=cast.other), name, rule, world)
    assert answer.status_code == 404, answer.content


@pytest.mark.parametrize(("name", "rule"), rules(PAGES))
def test_a_page_asks_for_a_sign_in_and_for_a_role(
    name: str, rule: Rule, cast: Cast, world: dict[str, dict[str, Any]]
) -> None:
    answer = call(Client(), name, rule, world)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")
    roles = [role for role in ROLE_PERMISSIONS if rule.needs not in (None, *ROLE_PERMISSIONS[role])]
    for role in roles:
        with tenancy.scope(cast.acme.pk):
            Membership.objects.filter(user=cast.bob).update(role=role)
        answer = call(cast.browser(cast.bob), name, rule, world)
        assert answer.status_code == 403, (role, answer.status_code)


@pytest.mark.parametrize(("name", "rule"), [p for p in rules(PAGES) if p.values[1].of])
def test_a_page_shows_an_outsider_nothing(
    name: str, rule: Rule, cast: Cast, world: dict[str, dict[str, Any]]
) -> None:
    assert call(cast.browser(cast.charlie), name, rule, world).status_code == 404
