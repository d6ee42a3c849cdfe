"""API keys: made, shown once, revoked."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from berth import keys
from portal.access import KEY_SCOPES, Caller, Permission, record
from portal.actions.key_events import tell_of
from portal.errors import Invalid, NotFound
from portal.models import ApiKey
from portal.tenancy import current

PUBLISHABLE_CALLS_PER_MINUTE = 600


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made: its row, and its text, which is shown this once."""

    row: ApiKey
    text: str


def create_key(
    caller: Caller, name: str, scopes: Sequence[str], *, calls_per_minute: int | None = None
) -> NewKey:
    """A secret key with the given scopes, which must be the caller's own at most.

    Raises Invalid for a missing name and for no or unknown scopes, Forbidden for a scope that
    the caller lacks.
    """
    caller.require(Permission.MANAGE)
    wanted = [scope for scope in KEY_SCOPES if scope.value in scopes]
    if not wanted or len(wanted) != len(set(scopes)):
        raise Invalid.field("scopes", "bad_scopes", "Choose at least one of the scopes offered.")
    for scope in wanted:
        caller.require(scope)
    key_id, text = keys.new_secret()
    row = _key(caller, key_id, name, text)
    row.kind, row.scopes = ApiKey.Kind.SECRET, [scope.value for scope in wanted]
    if calls_per_minute is not None:
        row.calls_per_minute = calls_per_minute
    return _store(caller, NewKey(row, text))


def create_publishable_key(caller: Caller, name: str) -> NewKey:
    """A publishable key: it opens one widget and nothing else."""
    caller.require(Permission.MANAGE)
    key_id, text = keys.new_publishable()
    row = _key(caller, key_id, name, text)
    row.kind, row.calls_per_minute = ApiKey.Kind.PUBLISHABLE, PUBLISHABLE_CALLS_PER_MINUTE
    return _store(caller, NewKey(row, text))


def _key(caller: Caller, key_id: str, name: str, text: str) -> ApiKey:
    name = name.strip()
    if not name or len(name) > 80:
        raise Invalid.field("name", "bad_name", "Give the key a name of 1 to 80 characters.")
    return ApiKey(
        id=key_id,
        organisation_id=current(),
        name=name,
        digest=keys.digest(text),
        created_by=caller.user,
    )


def _store(caller: Caller, new: NewKey) -> NewKey:
    with transaction.atomic():
        new.row.save(force_insert=True)
        tell_of(new.row)
        record(caller, "key.created", new.row, kind=new.row.kind, scopes=new.row.scopes)
    return new


def keys_for(caller: Caller) -> QuerySet[ApiKey]:
    """The organisation's keys, newest first, with who made them."""
    caller.require(Permission.MANAGE)
    return ApiKey.objects.select_related("created_by")


def get_key_for(caller: Caller, key_id: str, *, lock: bool = False) -> ApiKey:
    """The key with this id. ``lock`` holds its row until the transaction ends."""
    caller.require(Permission.MANAGE)
    rows = ApiKey.objects.select_for_update() if lock else ApiKey.objects.all()
    key = rows.filter(pk=key_id).first()
    if key is None:
        raise NotFound("key")
    return key


def revoke_key(caller: Caller, key_id: str) -> ApiKey:
    """The key stops working, everywhere within ``KEY_TTL`` seconds. Twice is once."""
    with transaction.atomic():
        key = get_key_for(caller, key_id, lock=True)
        if key.revoked is None:
            key.revoked = timezone.now()
            key.save(update_fields=["revoked"])
            tell_of(key)
            record(caller, "key.revoked", key)
    return key
