"""Tokens of model servers: made and revoked by the operator, at the command line."""

from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils import timezone

from berth import keys
from portal.errors import Invalid, NotFound
from portal.models import ServerToken


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made: its row, and its text, which is shown this once."""

    row: ServerToken
    text: str


def create_server_token(name: str) -> NewToken:
    """A token that shows every organisation's models and keys' digests. Raises Invalid."""
    name = name.strip()
    if not name or len(name) > 80 or not name.isprintable():
        raise Invalid.field("name", "bad_name", "Give the token a name of 1 to 80 characters.")
    token_id, text = keys.new_token()
    return NewToken(
        ServerToken.objects.create(id=token_id, name=name, digest=keys.digest(text)), text
    )


def server_tokens() -> QuerySet[ServerToken]:
    """Every token of the installation, oldest first."""
    return ServerToken.objects.all()


def revoke_server_token(token_id: str) -> ServerToken:
    """The token stops working at once. Twice is once. Raises NotFound."""
    token = ServerToken.objects.filter(pk=token_id).first()
    if token is None:
        raise NotFound("token")
    if token.revoked is None:
        token.revoked = timezone.now()
        token.save(update_fields=["revoked"])
    return token
