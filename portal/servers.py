"""Model servers as callers: of the whole installation, or of one organisation."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from django.db.models import QuerySet

from berth.keys import NoKey, id_of, matches
from portal import tenancy
from portal.access import Caller
from portal.errors import Unauthenticated, Unavailable
from portal.keys import WRONG
from portal.models import ServerToken
from portal.tenancy import DATABASE_AWAY, GateManager, TenantManager, TenantModel

M = TypeVar("M", bound=TenantModel)


@dataclass(frozen=True, slots=True)
class Server:
    """Who shows a server's token (``organisation_id`` is None: it serves all), or an
    organisation's key with the scope ``serve``."""

    id: str
    organisation_id: UUID | None

    @contextmanager
    def reach(self) -> Iterator[None]:
        """A transaction in which the feeds' lines that it may see can be read."""
        with tenancy.scope(self.organisation_id) if self.organisation_id else tenancy.relay():
            yield

    def lines(self, model: type[M]) -> QuerySet[M]:
        """The rows of a feed that it may see; call it within its reach."""
        manager: TenantManager[M] | GateManager[M]
        manager = model.objects if self.organisation_id else model.gate
        return manager.all()

    @property
    def topic(self) -> str:
        """What to add to a feed's name to be woken for what concerns it."""
        return "" if self.organisation_id is None else f" {self.organisation_id}"


def server_of_token(text: str) -> Server:
    """The server that holds a token ``st_…``. Raises Unauthenticated, Unavailable."""
    try:
        token_id = id_of(text)
    except NoKey as error:
        raise Unauthenticated(WRONG) from error
    try:
        token = ServerToken.objects.filter(pk=token_id, revoked=None).first()
    except DATABASE_AWAY as error:
        raise Unavailable("Tokens can't be checked just now.") from error
    if token is None or not matches(text, token.digest):
        raise Unauthenticated(WRONG)
    return Server(token.pk, None)


def server_of_key(caller: Caller) -> Server:
    """The server that holds an organisation's key."""
    return Server(caller.key_id, caller.organisation_id)
