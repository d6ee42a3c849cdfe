"""Accounts, which come into being with an organisation or an invitation, never by themselves."""

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from portal.access import Caller, record
from portal.errors import Conflict, Forbidden, Invalid
from portal.models import User


def clean_email(text: str) -> str:
    """The address in small letters. Raises Invalid for what is none."""
    email = text.strip().lower()
    try:
        validate_email(email)
    except ValidationError as error:
        raise Invalid.field("email", "bad_email", f"“{email}” is no e-mail address.") from error
    if len(email) > 254:
        raise Invalid.field("email", "bad_email", "An e-mail address has at most 254 characters.")
    return email


def new_person(email: str, password: str, name: str = "") -> User:
    """An account for an address that has none. Raises Invalid for a weak password or a name over
    120 characters, Conflict when somebody has an account with the address by now."""
    name = _clean_name(name)
    try:
        validate_password(password, User(email=email, name=name))
    except ValidationError as error:
        raise Invalid.field("password", "weak_password", " ".join(error.messages)) from error
    try:
        with transaction.atomic():
            return User.objects.create_user(email, password, name=name)
    except IntegrityError as error:
        message = f"There is an account for {email} already: sign in with it."
        raise Conflict(message, code="account_exists") from error


def rename_person(caller: Caller, name: str) -> User:
    """Give the person who asks another name. Raises Forbidden for a key, which is no person."""
    if caller.user is None:
        raise Forbidden("A key has no name to change: sign in as a person.")
    name = _clean_name(name)
    with transaction.atomic():
        person = User.objects.select_for_update().get(pk=caller.user.pk)
        before, person.name = person.name, name
        if before != name:
            person.save(update_fields=["name"])
            record(caller, "person.renamed", person, before=before, after=name)
    return person


def want_job_mails(caller: Caller, wanted: bool) -> None:
    """Whether the person who asks is told by mail when a job of theirs ended. Raises Forbidden
    for a key, which is no person."""
    if caller.user is None:
        raise Forbidden("A key has no mailbox: sign in as a person.")
    with transaction.atomic():
        person = User.objects.select_for_update().get(pk=caller.user.pk)
        if person.job_mails != wanted:
            person.job_mails = wanted
            person.save(update_fields=["job_mails"])
            record(caller, f"person.job_mails_{'on' if wanted else 'off'}", person)


def _clean_name(name: str) -> str:
    name = name.strip()
    if len(name) > 120:
        raise Invalid.field("name", "bad_name", "A name has at most 120 characters.")
    return name
