"""Organisations: made with their first owner, renamed, what they may bring and what they keep."""

import re

from django.db import IntegrityError, transaction

from portal import tenancy, turns
from portal.access import Caller, Permission, record, system
from portal.actions.accounts import clean_email, new_person
from portal.errors import Conflict, Invalid
from portal.models import Membership, Organisation, Role, User, new_id
from portal.tenancy import current

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
MOST_CALLS = 2**31 - 1
MOST_DAYS = 36_500


def create_organisation(
    slug: str, name: str, owner: str, password: str, *, calls_per_minute: int | None = None
) -> Organisation:
    """An organisation with its first owner; an existing person keeps their password.

    Raises Conflict when the slug is taken, Invalid for a slug, name, e-mail or password that is
    off.
    """
    if not SLUG.fullmatch(slug):
        raise Invalid.field(
            "slug", "bad_slug", "A slug has 1 to 63 small letters, digits and inner hyphens."
        )
    organisation = Organisation(id=new_id(), slug=slug, name=_clean_name(name))
    if calls_per_minute is not None:
        organisation.calls_per_minute = _in_range(calls_per_minute)
    with tenancy.scope(organisation.pk):
        try:
            with transaction.atomic():
                organisation.save(force_insert=True)
        except IntegrityError as error:
            message = f"There is an organisation “{slug}” already."
            raise Conflict(message, code="slug_taken") from error
        email = clean_email(owner)
        user = User.objects.filter(email=email).first() or new_person(email, password)
        membership = Membership.objects.create(user=user, role=Role.OWNER)
        caller = system(organisation.pk)
        record(caller, "organisation.created", organisation)
        record(caller, "member.added", membership, role=Role.OWNER)
    return organisation


def rename_organisation(caller: Caller, name: str) -> Organisation:
    """Give the organisation in scope another name; its slug stays. Raises Invalid for no name."""
    caller.require(Permission.OWN)
    name = _clean_name(name)
    with transaction.atomic():
        organisation = Organisation.objects.select_for_update().get(pk=current())
        before, organisation.name = organisation.name, name
        if before != name:
            organisation.save(update_fields=["name"])
            record(caller, "organisation.renamed", organisation, before=before, after=name)
    return organisation


def allow_own_code(caller: Caller, allowed: bool) -> Organisation:
    """Let uploads of the organisation in scope bring code of their own, or no longer. It takes
    effect only where the operator allows it too."""
    caller.require(Permission.MANAGE)
    with transaction.atomic():
        organisation = Organisation.objects.select_for_update().get(pk=current())
        if organisation.own_code != allowed:
            organisation.own_code = allowed
            organisation.save(update_fields=["own_code"])
            deed = "allowed" if allowed else "forbidden"
            record(caller, f"organisation.own_code_{deed}", organisation)
    return organisation


def set_keeping(
    caller: Caller,
    *,
    keep_inputs: bool,
    inputs_days: int | None,
    jobs_days: int | None,
    live_days: int | None,
) -> Organisation:
    """What the organisation in scope keeps, and for how many days (None: until it is deleted).

    ``keep_inputs``: jobs' rows beside their predictions. What is past its time now is removed
    soon. Raises Invalid for a number of days that is off.
    """
    caller.require(Permission.MANAGE)
    days = {"inputs_days": inputs_days, "jobs_days": jobs_days, "live_days": live_days}
    for name, given in days.items():
        if given is not None and not 1 <= given <= MOST_DAYS:
            detail = f"A number of days is from 1 to {MOST_DAYS:,}; leave it empty for no end."
            raise Invalid.field(name, "out_of_range", detail)
    after: dict[str, int | None] = {"keep_inputs": keep_inputs, **days}
    with transaction.atomic():
        organisation = Organisation.objects.select_for_update().get(pk=current())
        before = {name: getattr(organisation, name) for name in after}
        if before != after:
            for name, value in after.items():
                setattr(organisation, name, value)
            organisation.save(update_fields=list(after))
            record(caller, "organisation.keeping_changed", organisation, before=before, after=after)
            turns.announce(turns.Kind.PURGE)
    return organisation


def _clean_name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > 120:
        raise Invalid.field("name", "bad_name", "A name has 1 to 120 characters.")
    return name


def _in_range(calls_per_minute: int) -> int:
    if not 1 <= calls_per_minute <= MOST_CALLS:
        message = f"The limit of calls per minute is a number from 1 to {MOST_CALLS:,}."
        raise Invalid.field("calls_per_minute", "out_of_range", message)
    return calls_per_minute
