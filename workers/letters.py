"""Mail: written into the outbox with the deed that it tells of, sent by a worker.

Who started a job is told when it has ended, if it took a minute or more (who waited for less saw
it end) or started by the clock; not who cancelled it, and not who has switched these mails off.
No mail holds a cell of anybody's rows.
"""

from collections.abc import Callable
from datetime import timedelta
from smtplib import SMTPException, SMTPRecipientsRefused
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.utils import timezone

from portal import turns
from portal.models import Membership, Organisation, Role
from portal.tenancy import current
from portal.turns import Kind
from workers.models import Endpoint, Job, Letter, Run
from workers.outgoing import Outcome

LONG = timedelta(minutes=1)
MINUTE, HOUR = 60.0, 3600.0


def tell_of_end(job: Any) -> None:
    """For who started it. ``job``: counted, as doors give it. Call in the transaction that ends
    it."""
    if job.status == Job.Status.CANCELLED:
        return
    run = Run.objects.select_related("schedule").filter(job=job).first()
    took = job.finished_at - job.created
    if not run.schedule.mail if run else took < LONG:
        return
    facts = {
        "job": str(job.pk),
        "filename": job.filename,
        "model": job.version.model.name,
        "version": job.version.number,
        "status": job.status,
        "rows_total": job.rows_total,
        "rows_done": job.rows_done,
        "rows_failed": job.rows_failed,
        "seconds": int(took.total_seconds()),
        "error": (job.error or {}).get("detail", ""),
        "schedule": run.schedule.name if run else "",
    }
    _write("job_ended", facts, _called(job.created_by))


def tell_of_refusal(run: Run) -> None:
    """For who made the schedule: a slot came, and nothing could be started."""
    schedule = run.schedule
    if schedule.mail:
        facts = {
            "schedule": schedule.name,
            "schedule_id": str(schedule.pk),
            "slot": f"{run.slot:%Y-%m-%d %H:%M} UTC",
            "detail": run.detail,
        }
        _write("run_refused", facts, _called(schedule.created_by))


def tell_of_disabled(endpoint: Endpoint) -> None:
    """For the owners: a webhook is called no more. Nobody can opt out of this one."""
    facts = {
        "endpoint": endpoint.url,
        "endpoint_id": str(endpoint.pk),
        "why": endpoint.why_disabled,
    }
    _write("webhook_disabled", facts, Membership.objects.filter(role=Role.OWNER))


def _called(actor: str) -> QuerySet[Membership]:
    """The member behind an audit name; a key and Berth itself are nobody."""
    return Membership.objects.filter(user__email=actor, user__job_mails=True)


def _write(template: str, facts: dict[str, Any], members: QuerySet[Membership]) -> None:
    for member in members.filter(user__is_active=True):
        Letter.objects.create(
            user_id=member.user_id, template=template, facts=facts, due=timezone.now()
        )
        turns.announce(Kind.MAIL)


class Letters:
    """The outbox as ``workers.outgoing`` empties it: seven tries within a day.

    A mail server that takes a mail and is cut off before it says so gets the mail again, under the
    same Message-ID, by which mail programs tell that it is one.
    """

    kind = Kind.MAIL
    model = Letter
    waits = (MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 6 * HOUR, 12 * HOUR)

    def prepared(self, line: Letter) -> Callable[[], Outcome]:
        member = Membership.objects.select_related("user").filter(user=line.user_id).first()
        if member is None or not member.user.is_active:
            return lambda: Outcome("The person is no member any more.", final=True)
        mail = _mail(line, member.user.email)
        return lambda: _send(mail)

    def noted(self, line: Letter, outcome: Outcome) -> None:
        """Nobody but the line itself needs to know."""


def _mail(letter: Letter, address: str) -> EmailMultiAlternatives:
    context = {
        **letter.facts,
        "portal": settings.ENV.url,
        "organisation": Organisation.objects.get(pk=current()).name,
    }
    subject = render_to_string(f"mail/{letter.template}.subject.txt", context)
    mail = EmailMultiAlternatives(
        subject=" ".join(subject.split()),
        body=render_to_string(f"mail/{letter.template}.txt", context),
        to=[address],
        headers={
            "Message-ID": f"<{letter.pk.hex}@{_domain()}>",
            "Auto-Submitted": "auto-generated",  # RFC 3834: no vacation notes in return
        },
    )
    html = render_to_string(f"mail/{letter.template}.html", context)
    mail.attach_alternative(html, "text/html")
    return mail


def _domain() -> str:
    return settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].strip(" >") or "localhost"


def _send(mail: EmailMultiAlternatives) -> Outcome:
    try:
        mail.send()
    except SMTPRecipientsRefused as error:
        code = max((code for code, _ in error.recipients.values()), default=0)
        return Outcome(f"The mail server refuses the address ({code}).", final=code >= 500)
    except (SMTPException, OSError) as error:
        return Outcome(f"The mail server did not take it ({type(error).__name__}).")
    return Outcome()
