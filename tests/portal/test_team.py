"""People by page: invited, joined, given other roles, let go; and switching organisations."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from portal import tenancy
from portal.models import AuditEntry, Invitation, Membership, Organisation, Role, User
from tests.cast import PASSWORD, Cast

pytestmark = pytest.mark.django_db(databases=["default", "owner"])


def link(client: Client, email: str, role: str = "viewer") -> str:
    """Invite somebody by the page; returns the path of the link that it shows."""
    answer = client.post("/team/invite", {"email": email, "role": role})
    assert answer.status_code == 200, answer.content.decode()
    found = re.search(r"http://testserver(/invitations/[\w-]+)", answer.content.decode())
    assert found is not None
    return found[1]


def role_of(organisation: Organisation, user: User) -> str | None:
    with tenancy.scope(organisation.pk):
        member = Membership.objects.filter(user=user).first()
    return member.role if member else None


def member_id(organisation: Organisation, user: User) -> str:
    with tenancy.scope(organisation.pk):
        return str(Membership.objects.get(user=user).pk)


def test_a_newcomer_opens_the_link_and_is_in(cast: Cast) -> None:
    path = link(cast.browser(cast.alice), "Dora@Acme.example", "publisher")
    newcomer = Client()
    assert "Join Acme" in newcomer.get(path).content.decode()
    answer = newcomer.post(path, {"name": "Dora Diaz", "password": PASSWORD})
    assert answer.status_code == 302
    dora = User.objects.get(email="dora@acme.example")
    assert dora.name == "Dora Diaz"
    assert role_of(cast.acme, dora) == Role.PUBLISHER
    assert "Dora Diaz" in newcomer.get("/team").content.decode()


def test_a_link_works_once(cast: Cast) -> None:
    path = link(cast.browser(cast.alice), "dora@acme.example")
    Client().post(path, {"name": "Dora", "password": PASSWORD})
    answer = Client().get(path)
    assert answer.status_code == 404
    assert "can’t be used" in answer.content.decode()


def test_a_weak_password_comes_back_with_the_reason_and_makes_no_account(cast: Cast) -> None:
    path = link(cast.browser(cast.alice), "dora@acme.example")
    answer = Client().post(path, {"name": "Dora", "password": "short"})
    assert answer.status_code == 422
    assert "at least 12 characters" in answer.content.decode()
    assert not User.objects.filter(email="dora@acme.example").exists()


def test_somebody_with_an_account_signs_in_first_and_then_joins(cast: Cast) -> None:
    path = link(cast.browser(cast.alice), cast.charlie.email, "viewer")
    stranger = Client()
    answer = stranger.get(path)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login")
    assert stranger.post(path, {"name": "x", "password": PASSWORD}).status_code == 302
    assert role_of(cast.acme, cast.charlie) is None, "a link opens nobody else's account"
    charlie = cast.browser(cast.charlie)
    assert "Join Acme" in charlie.get(path).content.decode()
    assert charlie.post(path).status_code == 302
    assert role_of(cast.acme, cast.charlie) == Role.VIEWER
    assert "alice@acme.example" in charlie.get("/team").content.decode(), "works in Acme now"


def test_a_link_for_somebody_else_says_for_whom_it_is(cast: Cast) -> None:
    path = link(cast.browser(cast.alice), "dora@acme.example")
    charlie = cast.browser(cast.charlie)
    assert "dora@acme.example" in charlie.get(path).content.decode()
    assert charlie.post(path).status_code == 403
    assert role_of(cast.acme, cast.charlie) is None


def test_an_expired_link_is_gone(cast: Cast) -> None:
    path = link(cast.browser(cast.alice), "dora@acme.example")
    with tenancy.scope(cast.acme.pk):
        Invitation.objects.update(expires=timezone.now() - timedelta(seconds=1))
    assert Client().get(path).status_code == 404
    assert Client().post(path, {"name": "Dora", "password": PASSWORD}).status_code == 404


def test_a_withdrawn_link_is_gone(cast: Cast) -> None:
    alice = cast.browser(cast.alice)
    path = link(alice, "dora@acme.example")
    with tenancy.scope(cast.acme.pk):
        invitation = Invitation.objects.get()
    assert "dora@acme.example" in alice.get("/team").content.decode()
    assert alice.post(f"/team/invitations/{invitation.pk}/revoke").status_code == 302
    assert Client().get(path).status_code == 404
    assert alice.post(f"/team/invitations/{invitation.pk}/revoke").status_code == 404


def test_inviting_again_replaces_the_earlier_link(cast: Cast) -> None:
    alice = cast.browser(cast.alice)
    first, second = (link(alice, "dora@acme.example") for _ in range(2))
    assert Client().get(first).status_code == 404
    assert Client().get(second).status_code == 200


def test_the_secret_of_a_link_is_not_stored(cast: Cast) -> None:
    secret = link(cast.browser(cast.alice), "dora@acme.example").rpartition("/")[2]
    with tenancy.scope(cast.acme.pk):
        assert secret not in str(Invitation.objects.values().get())
        assert secret not in str(list(AuditEntry.objects.values()))


@pytest.mark.parametrize(
    ("email", "role", "sentence"),
    [
        ("", "viewer", "This field is required"),
        ("nonsense", "viewer", "is no e-mail address"),
        ("bob@acme.example", "viewer", "is a member already"),
        ("dora@acme.example", "emperor", "not one of the available choices"),
    ],
)
def test_an_invitation_that_does_not_fit_comes_back_with_the_reason(
    cast: Cast, email: str, role: str, sentence: str
) -> None:
    answer = cast.browser(cast.alice).post("/team/invite", {"email": email, "role": role})
    assert answer.status_code == 422
    assert sentence in answer.content.decode()


def test_an_admin_can_make_nobody_an_owner(cast: Cast) -> None:
    alice = cast.browser(cast.alice)
    alice.post(f"/team/members/{member_id(cast.acme, cast.bob)}/role", {"role": "admin"})
    bob = cast.browser(cast.bob)
    answer = bob.post("/team/invite", {"email": "dora@acme.example", "role": "owner"})
    assert answer.status_code == 422
    for member in (cast.bob, cast.alice):
        path = f"/team/members/{member_id(cast.acme, member)}"
        assert bob.post(f"{path}/role", {"role": "owner"}).status_code == 403
    alices = f"/team/members/{member_id(cast.acme, cast.alice)}"
    assert bob.post(f"{alices}/role", {"role": "viewer"}).status_code == 403
    assert bob.post(f"{alices}/remove").status_code == 403
    assert role_of(cast.acme, cast.alice) == Role.OWNER


def test_a_role_that_is_none_is_refused(cast: Cast) -> None:
    path = f"/team/members/{member_id(cast.acme, cast.bob)}/role"
    assert cast.browser(cast.alice).post(path, {"role": "emperor"}).status_code == 422


def test_a_member_who_was_removed_sees_nothing_any_more(cast: Cast) -> None:
    bob = cast.browser(cast.bob)
    assert bob.get("/team").status_code == 200
    path = f"/team/members/{member_id(cast.acme, cast.bob)}/remove"
    assert cast.browser(cast.alice).post(path).status_code == 302
    assert bob.get("/team").status_code == 403
    with tenancy.scope(cast.acme.pk):
        entry = AuditEntry.objects.get(action="member.removed")
    assert (entry.actor, entry.label) == (cast.alice.email, f"{cast.bob.email} (publisher)")


def test_the_last_owner_stays(cast: Cast) -> None:
    alice = cast.browser(cast.alice)
    own = f"/team/members/{member_id(cast.acme, cast.alice)}"
    for path, form in (
        (f"{own}/role", {"role": "viewer"}),
        (f"{own}/remove", {}),
        ("/team/leave", {}),
    ):
        answer = alice.post(path, form, follow=True)
        assert "keeps at least one owner" in answer.content.decode()
    assert role_of(cast.acme, cast.alice) == Role.OWNER


def test_anybody_else_may_leave(cast: Cast) -> None:
    assert cast.browser(cast.bob).post("/team/leave").status_code == 302
    assert role_of(cast.acme, cast.bob) is None


def test_a_publisher_sees_the_team_and_changes_nothing(cast: Cast) -> None:
    bob = cast.browser(cast.bob)
    page = bob.get("/team").content.decode()
    assert "alice@acme.example" in page
    assert "/team/invite" not in page
    path = f"/team/members/{member_id(cast.acme, cast.alice)}"
    form = {"email": "dora@acme.example", "role": "viewer"}
    for answer in (
        bob.post("/team/invite", form),
        bob.post(f"{path}/role", {"role": "viewer"}),
        bob.post(f"{path}/remove"),
    ):
        assert answer.status_code == 403


def test_an_outsider_finds_no_member_of_another_organisation(cast: Cast) -> None:
    charlie = cast.browser(cast.charlie)
    path = f"/team/members/{member_id(cast.acme, cast.bob)}"
    assert charlie.post(f"{path}/role", {"role": "viewer"}).status_code == 404
    assert charlie.post(f"{path}/remove").status_code == 404
    assert role_of(cast.acme, cast.bob) == Role.PUBLISHER


def test_a_person_in_two_organisations_switches_between_them(cast: Cast) -> None:
    charlie = cast.browser(cast.charlie)
    charlie.post(link(cast.browser(cast.alice), cast.charlie.email))
    assert charlie.post("/switch", {"organisation": "other"}).status_code == 302
    assert "alice@acme.example" not in charlie.get("/team").content.decode()
    charlie.post("/switch", {"organisation": "acme"})
    assert "alice@acme.example" in charlie.get("/team").content.decode()


def test_nobody_switches_to_an_organisation_that_is_not_theirs(cast: Cast) -> None:
    charlie = cast.browser(cast.charlie)
    for organisation in ("acme", "nowhere", ""):
        assert charlie.post("/switch", {"organisation": organisation}).status_code == 404


def test_the_owner_renames_the_organisation_and_others_may_not(cast: Cast) -> None:
    alice = cast.browser(cast.alice)
    answer = alice.post("/settings/organisation", {"organisation-name": "Acme SE"}, follow=True)
    assert "Acme SE" in answer.content.decode()
    answer = alice.post("/settings/organisation", {"organisation-name": " "})
    assert answer.status_code == 422
    bob = cast.browser(cast.bob)
    assert bob.post("/settings/organisation", {"organisation-name": "Bob"}).status_code == 403
    with tenancy.scope(cast.acme.pk):
        entry = AuditEntry.objects.get(action="organisation.renamed")
    assert entry.detail == {"before": "Acme", "after": "Acme SE"}


def test_a_person_sets_their_own_name(cast: Cast) -> None:
    bob = cast.browser(cast.bob)
    bob.post("/settings/person", {"person-name": "Bob Berger"})
    assert "Bob Berger" in bob.get("/settings").content.decode()
    assert User.objects.get(pk=cast.bob.pk).name == "Bob Berger"
