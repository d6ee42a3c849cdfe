"""The feed of keys: what a model server needs to know a caller without asking us."""

from typing import Any

from portal.feeds import Feed, next_position
from portal.models import ApiKey, KeyEvent, Organisation
from portal.tenancy import current


def tell_of(key: ApiKey) -> KeyEvent:
    """A line about the key as it stands now; call it inside the deed's transaction."""
    position = next_position(Feed.KEYS)
    return KeyEvent.objects.create(position=position, key=key, document=_document(key))


def _document(key: ApiKey) -> dict[str, Any]:
    organisation = Organisation.objects.get(pk=current())
    return {
        "key": key.pk,
        "organisation": organisation.slug,
        "organisation_id": str(organisation.pk),
        "kind": key.kind,
        "digest": key.digest,
        "scopes": key.scopes,
        "calls_per_minute": key.calls_per_minute,
        "organisation_calls_per_minute": organisation.calls_per_minute,
        "revoked": key.revoked is not None,
    }
