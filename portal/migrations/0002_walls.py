"""Row-level security on every table with an organisation; an audit trail that only grows."""

from django.db import migrations

from portal.isolation import BEARER, frozen, isolate


class Migration(migrations.Migration):
    dependencies = [("portal", "0001_initial")]

    operations = [
        isolate("portal_organisation", column="id"),
        isolate("portal_membership", bearer="user_id"),
        isolate("portal_invitation", bearer="digest"),
        isolate("portal_apikey", bearer="id"),
        isolate("portal_auditentry"),
        isolate("portal_idempotentreply"),
        isolate("portal_turn", dispatched=True),
        migrations.RunSQL(
            f"""
            CREATE POLICY bearer ON portal_organisation FOR SELECT USING (
                {BEARER} IS NOT NULL AND (
                    id IN (SELECT organisation_id FROM portal_membership
                           WHERE user_id::text = {BEARER})
                    OR id IN (SELECT organisation_id FROM portal_invitation
                              WHERE digest = {BEARER})
                    OR id IN (SELECT organisation_id FROM portal_apikey WHERE id = {BEARER})
                )
            )
            """,
            migrations.RunSQL.noop,
        ),
        frozen(
            "portal_auditentry", "TRUE", "Audit entries never change.", verbs="UPDATE OR DELETE"
        ),
    ]
