"""What can be done to organisations, keys and people. Permission, transaction and audit inside."""

from portal.actions.accounts import rename_person, want_job_mails
from portal.actions.keys import (
    NewKey,
    create_key,
    create_publishable_key,
    get_key_for,
    keys_for,
    revoke_key,
)
from portal.actions.organisations import (
    allow_own_code,
    create_organisation,
    rename_organisation,
    set_keeping,
)
from portal.actions.people import (
    INVITATION_DAYS,
    accept_invitation,
    change_role,
    find_invitation,
    get_member_for,
    invitations_for,
    invite,
    leave,
    members_for,
    remove_member,
    revoke_invitation,
)
from portal.actions.server_tokens import (
    create_server_token,
    revoke_server_token,
    server_tokens,
)

__all__ = [
    "INVITATION_DAYS",
    "NewKey",
    "accept_invitation",
    "allow_own_code",
    "change_role",
    "create_key",
    "create_organisation",
    "create_publishable_key",
    "create_server_token",
    "find_invitation",
    "get_key_for",
    "get_member_for",
    "invitations_for",
    "invite",
    "keys_for",
    "leave",
    "members_for",
    "remove_member",
    "rename_organisation",
    "rename_person",
    "revoke_invitation",
    "revoke_key",
    "revoke_server_token",
    "server_tokens",
    "set_keeping",
    "want_job_mails",
]
