"""People: invited by a link, made members, given other roles, let go."""

import secrets
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from berth import keys
from portal import tenancy
from portal.access import Caller, Permission, record
from portal.actions.accounts import clean_email, new_person
from portal.errors import Conflict, Forbidden, Invalid, NotFound
from portal.models import Invitation, Membership, Role, User
from portal.tenancy import current

INVITATION_DAYS = 7


def members_for(caller: Caller) -> QuerySet[Membership]:
    """The organisation's people, by their names."""
    caller.require(Permission.READ)
    return Membership.objects.select_related("user").order_by("user__name", "user__email")


def invitations_for(caller: Caller) -> QuerySet[Invitation]:
    """The invitations that can still be accepted, newest first."""
    caller.require(Permission.MANAGE)
    waiting = Invitation.objects.filter(accepted=None, revoked=None, expires__gt=timezone.now())
    return waiting.select_related("invited_by").order_by("-created")


def invite(caller: Caller, email: str, role: str) -> tuple[Invitation, str]:
    """An invitation and the secret of its link, which is shown this once.

    Inviting again replaces the earlier link. Raises Forbidden for a non-owner who invites an
    owner, Conflict for somebody who is in already.
    """
    caller.require(Permission.MANAGE)
    _check_role(caller, role)
    email = clean_email(email)
    if Membership.objects.filter(user__email=email).exists():
        raise Conflict(f"{email} is a member already.", code="already_member")
    secret = secrets.token_urlsafe(32)
    with transaction.atomic():
        invitations_for(caller).filter(email=email).update(revoked=timezone.now())
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


def accept_invitation(
    secret: str, user: User | None, password: str = "", name: str = "", address: str = ""
) -> User:
    """Make the invited person a member; a newcomer gets an account with ``password``.

    A person with an account must be signed in as the one invited (Forbidden otherwise), so a
    link alone never opens somebody else's account. Call it outside any organisation's scope.
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
        person = user or new_person(invitation.email, password, name)
        membership, is_new = Membership.objects.get_or_create(
            user=person,
            defaults={"role": locked.role, "organisation_id": current()},
        )
        locked.accepted = timezone.now()
        locked.save(update_fields=["accepted"])
        if is_new:
            caller = Caller(current(), person.email, frozenset(), address=address)
            record(caller, "member.joined", membership, role=membership.role)
    return person


def revoke_invitation(caller: Caller, invitation_id: UUID) -> Invitation:
    """The link stops working. Raises NotFound for one that is not open any more."""
    with transaction.atomic():
        waiting = invitations_for(caller).select_related(None).select_for_update()
        invitation = waiting.filter(pk=invitation_id).first()
        if invitation is None:
            raise NotFound("open invitation")
        invitation.revoked = timezone.now()
        invitation.save(update_fields=["revoked"])
        record(caller, "member.uninvited", invitation)
    return invitation


def get_member_for(caller: Caller, membership_id: UUID, *, lock: bool = False) -> Membership:
    """The membership with this id. ``lock`` holds its row until the transaction ends."""
    caller.require(Permission.MANAGE)
    rows = Membership.objects.select_related("user")
    if lock:
        rows = rows.select_for_update(of=("self",))
    member = rows.filter(pk=membership_id).first()
    if member is None:
        raise NotFound("member")
    return member


def change_role(caller: Caller, membership_id: UUID, role: str) -> Membership:
    """Give a member another role. The last owner stays one (Conflict)."""
    with transaction.atomic():
        _lock_owners()
        member = get_member_for(caller, membership_id, lock=True)
        _check_role(caller, role)
        if member.role == Role.OWNER:
            caller.require(Permission.OWN)
        if member.role == role:
            return member
        _keep_an_owner(member)
        before, member.role = member.role, role
        member.save(update_fields=["role"])
        record(caller, "member.role_changed", member, before=before, after=role)
    return member


def remove_member(caller: Caller, membership_id: UUID) -> Membership:
    """The person is no member any more. The last owner stays (Conflict)."""
    with transaction.atomic():
        _lock_owners()
        member = get_member_for(caller, membership_id, lock=True)
        if member.role == Role.OWNER:
            caller.require(Permission.OWN)
        _keep_an_owner(member)
        record(caller, "member.removed", member)
        member.delete()
    return member


def leave(caller: Caller) -> None:
    """The caller is no member any more; no permission is needed. The last owner stays."""
    with transaction.atomic():
        _lock_owners()
        member = Membership.objects.select_for_update().filter(user=caller.user).first()
        if caller.user is None or member is None:
            raise NotFound("member")
        _keep_an_owner(member)
        record(caller, "member.left", member)
        member.delete()


def _lock_owners() -> list[UUID]:
    """The owners' memberships, held in one order: two who let each other go take turns."""
    owners = Membership.objects.select_for_update().filter(role=Role.OWNER).order_by("pk")
    return [owner.pk for owner in owners]


def _keep_an_owner(member: Membership) -> None:
    if _lock_owners() == [member.pk]:
        raise Conflict("An organisation keeps at least one owner.", code="last_owner")
