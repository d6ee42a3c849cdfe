"""What an organisation stores, and whether more fits."""

from collections.abc import Callable

from django.db import connection
from django.db.models import Sum

from models_hub.models import Version
from portal.errors import TooLarge
from portal.models import Organisation
from portal.tenancy import current


def _versions() -> int:
    uploads = Version.objects.filter(derived_from=None, removal=None)
    sums = uploads.aggregate(a=Sum("size"), b=Sum("sample_size"), c=Sum("bundle_size"))
    return sum(value or 0 for value in sums.values())


#: What takes room of the organisation in scope, in bytes. Rooms above this one that store files
#: of their own add themselves.
PARTS: list[Callable[[], int]] = [_versions]


def stored_bytes() -> int:
    """What the organisation in scope has in the storage."""
    return sum(part() for part in PARTS)


def require_room(size: int) -> None:
    """Refuse (TooLarge) ``size`` more bytes than the quota has left. Call inside the transaction
    that notes what is stored: until its end nobody else of the organisation gets an answer."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{current()}/quota"]
        )
    quota, used = Organisation.objects.get(pk=current()).storage_quota, stored_bytes()
    if used + size > quota:
        raise TooLarge(
            f"Your organisation stores {used / 1e9:.2f} of its {quota / 1e9:.2f} GB;"
            f" this file of {size / 1e9:.2f} GB does not fit.",
            code="quota",
        )
