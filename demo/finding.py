"""Where the demo is, for whoever only looks: making it takes libraries that a page does not."""

from portal.middleware import memberships_of
from portal.models import Membership, User

SLUG, OWNER, OWNER_NAME = "acme", "alice@acme.example", "Alice Arnold"


def find() -> Membership | None:
    """Alice's membership in the demo organisation, or None where there is no demo."""
    alice = User.objects.filter(email=OWNER).first()
    mine = memberships_of(alice) if alice else []
    return next((member for member in mine if member.organisation.slug == SLUG), None)
