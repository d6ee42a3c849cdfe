"""What can be done to organisations, people and keys. Permission, transaction and audit inside."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone

from portal import keys, tenancy
from portal.access import KEY_SCOPES, Caller, Permission, record, system
from portal.errors import Conflict, Forbidden, Invalid, NotFound
from portal.models import ApiKey, Invitation, Membership, Organisation, Role, User, new_id
from portal.tenancy import current

INVITATION_DAYS = 7


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made: its row, and its text, which is shown this once."""

    row: ApiKey
    text: str


def create_organisation(slug: str, name: str, owner: str, password: str) -> Organisation:
    """An organisation with its first owner; an existing person keeps their password.

    Raises Conflict when the slug is taken, Invalid for a slug, e-mail or password that is off.
    """
    if not slug or slug != slug.lower() or not slug.replace("-", "").isalnum():
        raise Invalid.field("slug", "bad_slug", "A slug has small letters, digits and hyphens.")
    organisation = Organisation(id=new_id(), slug=slug, name=name)
    with tenancy.scope(organisation.pk):
        try:
            with transaction.atomic():
                organisation.save(force_insert=True)
        except IntegrityError as error:
            message = f"There is an organisation “{slug}” already."
            raise Conflict(message, code="slug_taken") from error
        user = _person(owner, password)
        membership = Membership.objects.create(user=user, role=Role.OWNER)
        caller = system(organisation.pk)
        record(caller, "organisation.created", organisation)
        record(caller, "member.added", membership, role=Role.OWNER)
    return organisation


def _person(email: str, password: str, name: str = "") -> User:
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError as error:
        raise Invalid.field("email", "bad_email", f"“{email}” is no e-mail address.") from error
    known = User.objects.filter(email=email).first()
    if known:
        return known
    try:
        validate_password(password, User(email=email, name=name))
    except ValidationError as error:
        raise Invalid.field("password", "weak_password", " ".join(error.messages)) from error
    return User.objects.create_user(email, password, name=name)


def create_key(caller: Caller, name: str, scopes: Sequence[str]) -> NewKey:
    """A secret key with the given scopes, which must be the caller's own at most."""
    caller.require(Permission.MANAGE)
    wanted = [scope for scope in KEY_SCOPES if scope.value in scopes]
    if not name.strip() or len(name) > 80:
        raise Invalid.field("name", "bad_name", "Give the key a name of 1 to 80 characters.")
    if not wanted or len(wanted) != len(set(scopes)):
        raise Invalid.field("scopes", "bad_scopes", "Choose at least one of the scopes offered.")
    for scope in wanted:
        caller.require(scope)
    key_id, text = keys.new_secret()
    return _store_key(caller, NewKey(_key(key_id, ApiKey.Kind.SECRET, name, text), text), wanted)


def create_publishable_key(caller: Caller, name: str) -> NewKey:
    """A publishable key: it opens one widget and nothing else."""
    caller.require(Permission.MANAGE)
    key_id, text = keys.new_publishable()
    return _store_key(caller, NewKey(_key(key_id, ApiKey.Kind.PUBLISHABLE, name, text), text), [])


def _key(key_id: str, kind: str, name: str, text: str) -> ApiKey:
    return ApiKey(
        id=key_id,
        organisation_id=current(),
        kind=kind,
        name=name.strip(),
        digest=keys.digest(text),
    )


def _store_key(caller: Caller, new: NewKey, scopes: Sequence[Permission]) -> NewKey:
    new.row.scopes = [scope.value for scope in scopes]
    new.row.created_by = caller.user
    if new.row.kind == ApiKey.Kind.PUBLISHABLE:
        new.row.calls_per_minute = 600
    with transaction.atomic():
        new.row.save(force_insert=True)
        record(caller, "key.created", new.row, kind=new.row.kind, scopes=new.row.scopes)
    return new


def get_key_for(caller: Caller, key_id: str) -> ApiKey:
    """The key with this id."""
    caller.require(Permission.MANAGE)
    key = ApiKey.objects.filter(pk=key_id).first()
    if key is None:
        raise NotFound("key")
    return key


def revoke_key(caller: Caller, key_id: str) -> ApiKey:
    """The key stops working, everywhere within ``KEY_TTL`` seconds. Twice is once."""
    key = get_key_for(caller, key_id)
    if key.revoked is None:
        with transaction.atomic():
            key.revoked = timezone.now()
            key.save(update_fields=["revoked"])
            record(caller, "key.revoked", key)
    return key


def invite(caller: Caller, email: str, role: str) -> tuple[Invitation, str]:
    """An invitation and the secret of its link, which is shown this once.

    Raises Forbidden for a non-owner who invites an owner, Conflict for somebody who is in already.
    """
    caller.require(Permission.MANAGE)
    _check_role(caller, role)
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError as error:
        raise Invalid.field("email", "bad_email", f"“{email}” is no e-mail address.") from error
    if Membership.objects.filter(user__email=email).exists():
        raise Conflict(f"{email} is a member already.", code="already_member")
    secret = secrets.token_urlsafe(32)
    with transaction.atomic():
        invitation = Invitation.objects.create(
            email=email,
            role=role,
            digest=keys.digest(secret),
            invited_by=caller.user,
            expires=timezone.now() + timedelta(days=INVITATION_DAYS),
        )
        record(caller, "member.invited", invitation, role=role)
    return invitation, secret


def _check_role(caller: Caller, role: str) -> None:
    if role not in Role.values:
        raise Invalid.field("role", "bad_role", f"A role is one of {', '.join(Role.values)}.")
    if role == Role.OWNER:
        caller.require(Permission.OWN)


def find_invitation(secret: str) -> Invitation:
    """The open invitation behind a link. Raises NotFound for any other text."""
    digest = keys.digest(secret)
    with tenancy.bearer(digest):
        found = Invitation.gate.select_related("organisation").filter(digest=digest).first()
    if found is None or not found.is_open:
        raise NotFound("open invitation")
    return found


def accept_invitation(secret: str, user: User | None, password: str = "", name: str = "") -> User:
    """Make the invited person a member; a newcomer gets an account with ``password``.

    A person with an account must be signed in as the one invited (Forbidden otherwise), so a
    link alone never opens somebody else's account.
    """
    invitation = find_invitation(secret)
    if user is not None and user.email != invitation.email:
        raise Forbidden(
            f"This invitation is for {invitation.email}; you are signed in as {user.email}."
        )
    if user is None and User.objects.filter(email=invitation.email).exists():
        raise Forbidden(f"Sign in as {invitation.email} first, then open the link again.")
    with tenancy.scope(invitation.organisation_id):
        locked = Invitation.objects.select_for_update().get(pk=invitation.pk)
        if not locked.is_open:
            raise NotFound("open invitation")
        person = user or _person(invitation.email, password, name)
        membership, _ = Membership.objects.get_or_create(
            user=person,
            defaults={"role": locked.role, "organisation_id": current()},
        )
        locked.accepted = timezone.now()
        locked.save(update_fields=["accepted"])
        caller = Caller(current(), person.email, frozenset())
        record(caller, "member.joined", membership, role=membership.role)
    return person


def revoke_invitation(caller: Caller, invitation_id: object) -> None:
    """The link stops working."""
    caller.require(Permission.MANAGE)
    invitation = Invitation.objects.filter(pk=invitation_id).first()
    if invitation is None:
        raise NotFound("invitation")
    with transaction.atomic():
        invitation.revoked = timezone.now()
        invitation.save(update_fields=["revoked"])
        record(caller, "member.uninvited", invitation)


def get_member_for(caller: Caller, membership_id: object) -> Membership:
    """The membership with this id."""
    caller.require(Permission.MANAGE)
    member = Membership.objects.select_related("user").filter(pk=membership_id).first()
    if member is None:
        raise NotFound("member")
    return member


def change_role(caller: Caller, membership_id: object, role: str) -> Membership:
    """Give a member another role. The last owner stays one (Conflict)."""
    member = get_member_for(caller, membership_id)
    _check_role(caller, role)
    if member.role == Role.OWNER:
        caller.require(Permission.OWN)
    with transaction.atomic():
        if role != Role.OWNER:
            _keep_an_owner(member)
        before, member.role = member.role, role
        member.save(update_fields=["role"])
        record(caller, "member.role_changed", member, before=before, after=role)
    return member


def remove_member(caller: Caller, membership_id: object) -> None:
    """The person is no member any more. The last owner stays (Conflict)."""
    member = get_member_for(caller, membership_id)
    if member.role == Role.OWNER:
        caller.require(Permission.OWN)
    with transaction.atomic():
        _keep_an_owner(member)
        record(caller, "member.removed", member)
        member.delete()


def _keep_an_owner(member: Membership) -> None:
    owners = Membership.objects.select_for_update().filter(role=Role.OWNER)
    if [owner.pk for owner in owners] == [member.pk]:
        raise Conflict("An organisation keeps at least one owner.", code="last_owner")
