"""The addresses of the organisation's own pages, as people see them."""

from django.urls import path

from portal.views import audit, home, invitations, keeping, keys, settings, team

urlpatterns = [
    path("", home.home, name="home"),
    path("keys", keys.keys, name="keys"),
    path("keys/new", keys.key_new, name="key-new"),
    path("keys/<str:key_id>/revoke", keys.key_revoke, name="key-revoke"),
    path("team", team.team, name="team"),
    path("team/invite", team.invite, name="invite"),
    path("team/leave", team.leave, name="leave"),
    path("team/members/<uuid:member_id>/role", team.member_role, name="member-role"),
    path("team/members/<uuid:member_id>/remove", team.member_remove, name="member-remove"),
    path(
        "team/invitations/<uuid:invitation_id>/revoke",
        team.invitation_revoke,
        name="invitation-revoke",
    ),
    path("invitations/<str:secret>", invitations.invitation, name="invitation"),
    path("switch", team.switch, name="switch"),
    path("audit", audit.audit, name="audit"),
    path("audit/export", audit.audit_export, name="audit-export"),
    path("settings", settings.settings, name="settings"),
    path("settings/organisation", settings.organisation_name, name="organisation-name"),
    path("settings/keeping", keeping.keeping, name="keeping"),
    path("settings/erase", keeping.erase, name="erase"),
    path("settings/own-code", settings.own_code, name="own-code"),
    path("settings/mails", settings.person_mails, name="person-mails"),
    path("settings/person", settings.person_name, name="person-name"),
]
