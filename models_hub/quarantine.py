"""Refused files: kept with their audit entry until the organisation has them deleted.

The version and its report stay; what goes is the uploaded file and its sample, and of those only
what nothing else of the organisation is made of: files are stored once by content.
"""

import hashlib
from collections.abc import Callable

from django.db import connection, transaction
from django.db.models import Q

from models_hub import storage
from models_hub.doors import get_version_for
from models_hub.models import Removal, Version
from portal.access import Caller, Permission, record
from portal.errors import Conflict
from portal.tenancy import current
from portal.uploads import Received


def _in_a_version(sha256: str) -> bool:
    held = Q(sha256=sha256) | Q(sample_sha256=sha256) | Q(bundle_sha256=sha256)
    held |= Q(report__architectures__browser__sha256=sha256)
    return Version.objects.filter(held, removal=None).exists()


#: Who may still need the stored file of a digest, in the organisation in scope. Rooms above this
#: one that store files of their own add themselves.
USES: list[Callable[[str], bool]] = [_in_a_version]


def hold(file: Received) -> None:
    """Make sure that a stored file is there, and stays until the transaction has its row.

    Without this, an upload of a file that is being deleted would refer to nothing.
    """
    _lock(file.sha256)
    storage.put_file(current(), file.sha256, file.path)


def hold_bytes(data: bytes) -> str:
    """Store ``data`` as ``hold`` does a file; returns its SHA-256. Raises Unavailable."""
    sha256 = hashlib.sha256(data).hexdigest()
    _lock(sha256)
    return storage.put_bytes(current(), data)


def remove_unused(sha256: str) -> None:
    """Delete a stored file that nothing of the organisation in scope uses. Call it in the
    transaction of the deed that gave it up, or a later one. Raises Unavailable."""
    _lock(sha256)
    if not any(uses(sha256) for uses in USES):
        storage.delete(current(), sha256)


def _lock(sha256: str) -> None:
    with connection.cursor() as cursor:
        name = f"{current()}/{sha256}"
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


def delete_refused(caller: Caller, slug: str, number: int) -> Version:
    """Delete the files of a refused version; again does nothing more.

    Raises Conflict for a version that was not refused: a sealed one is part of the record of
    what answered.
    """
    caller.require(Permission.PUBLISH)
    version = get_version_for(caller, slug, number)
    if version.status != Version.Status.REFUSED:
        raise Conflict(
            f"Version {number} is {version.get_status_display().lower()}; only the file of a"
            " version that was refused can be deleted.",
            code="not_refused",
        )
    with transaction.atomic():
        digests = sorted(filter(None, {version.sha256, version.sample_sha256}))
        for sha256 in digests:  # in one order, so that two deletions never wait for each other
            _lock(sha256)
        if Removal.objects.filter(version=version).exists():
            return get_version_for(caller, slug, number)
        Removal.objects.create(version=version, actor=caller.actor)
        for sha256 in digests:
            remove_unused(sha256)
        record(caller, "version.file_deleted", version, sha256=version.sha256)
    return get_version_for(caller, slug, number)
