"""The cast: Alice owns Acme, Bob publishes there, Charlie owns another organisation."""

from dataclasses import dataclass

from django.test import Client

from models_hub import standing
from portal import tenancy
from portal.access import Permission, system
from portal.actions import create_key, create_organisation
from portal.models import Membership, Organisation, Role, User

PASSWORD = "correct horse battery staple"


@dataclass
class Cast:
    acme: Organisation
    other: Organisation
    alice: User
    bob: User
    charlie: User

    def key(self, *scopes: str, organisation: Organisation | None = None) -> str:
        """The text of a new secret key; all scopes unless some are named."""
        owner = organisation or self.acme
        wanted = scopes or [p.value for p in Permission if p != Permission.OWN]
        with tenancy.scope(owner.pk):
            return create_key(system(owner.pk), "test", list(wanted)).text

    def api(self, *scopes: str, organisation: Organisation | None = None) -> Client:
        """A client that sends a key."""
        key = self.key(*scopes, organisation=organisation)
        return Client(headers={"Authorization": f"Bearer {key}"})

    def browser(self, user: User | None) -> Client:
        """A client in which ``user`` is signed in."""
        client = Client()
        if user is not None:
            client.force_login(user)
        return client


def assemble() -> Cast:
    standing.note("bubblewrap", holds=True, reason="", walls={})  # as a worker does at its start
    acme = create_organisation("acme", "Acme", "alice@acme.example", PASSWORD)
    other = create_organisation("other", "Other", "charlie@other.example", PASSWORD)
    bob = User.objects.create_user("bob@acme.example", PASSWORD)
    with tenancy.scope(acme.pk):
        Membership.objects.create(user=bob, role=Role.PUBLISHER)
    alice = User.objects.get(email="alice@acme.example")
    charlie = User.objects.get(email="charlie@other.example")
    return Cast(acme, other, alice, bob, charlie)
