"""The predictions database in partitions ("shelves").

A large job has a shelf to itself, made when its file was read and dropped with the job: nothing
of it stays behind in a table that others use. All other jobs share shelf 0, where a deletion's
room is soon used again. The application's role owns no table, so two functions of the owner's do
both; what they may touch is what row-level security shows them of the caller's own organisation.

The parent's policy guards what is asked through it. A shelf has row-level security and no policy:
asked by its own name it shows nothing. Its constraint says whose rows it may hold, which stands
in for a foreign key that would be checked a million times.
"""

import django.db.models.deletion
from django.db import migrations, models

from portal.isolation import isolate

_PARTITION = """
ALTER TABLE workers_jobrow RENAME TO workers_jobrow_0;
ALTER TABLE workers_jobrow_0 ADD COLUMN shelf integer NOT NULL DEFAULT 0;
ALTER TABLE workers_jobrow_0 DROP CONSTRAINT workers_jobrow_pkey;
ALTER TABLE workers_jobrow_0 ADD PRIMARY KEY (job_id, row, shelf);
ALTER INDEX job_rows_by_key RENAME TO workers_jobrow_0_by_key;
ALTER INDEX job_rows_with_errors RENAME TO workers_jobrow_0_with_errors;
ALTER TABLE workers_jobrow_0 SET (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.1
);
CREATE TABLE workers_jobrow (LIKE workers_jobrow_0) PARTITION BY LIST (shelf);
ALTER TABLE workers_jobrow ADD PRIMARY KEY (job_id, row, shelf);
CREATE INDEX job_rows_by_key ON workers_jobrow (job_id, key);
CREATE INDEX job_rows_with_errors ON workers_jobrow (job_id, row) WHERE error IS NOT NULL;
ALTER TABLE workers_jobrow ATTACH PARTITION workers_jobrow_0 FOR VALUES IN (0);
DROP POLICY tenant ON workers_jobrow_0;
"""

# The locks: to attach a partition stops neither readers nor writers. To drop one needs the whole
# table for a moment, and whoever asks while that is waited for waits too; so it is not waited for
# long, and tried again later.
_FUNCTIONS = """
CREATE FUNCTION workers_own_shelf(asked uuid) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    tenant uuid;
    place integer;
    shelf_name text;
BEGIN
    SELECT organisation_id INTO tenant FROM public.workers_job
        WHERE id = asked AND shelf = 0 AND rows_total IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is no such job that could get a shelf.'
            USING ERRCODE = 'no_data_found';
    END IF;
    INSERT INTO public.workers_shelf (organisation_id, job_id) VALUES (tenant, asked)
        RETURNING number INTO place;
    shelf_name := 'workers_jobrow_' || place;
    EXECUTE format(
        'CREATE TABLE public.%I (LIKE public.workers_jobrow INCLUDING INDEXES,'
        ' CONSTRAINT %I CHECK (shelf = %s AND job_id = %L AND organisation_id = %L))',
        shelf_name, shelf_name || '_own', place, asked, tenant);
    EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', shelf_name);
    EXECUTE format('ALTER TABLE public.%I FORCE ROW LEVEL SECURITY', shelf_name);
    EXECUTE format(
        'ALTER TABLE public.workers_jobrow ATTACH PARTITION public.%I FOR VALUES IN (%s)',
        shelf_name, place);
    UPDATE public.workers_job SET shelf = place WHERE id = asked;
    RETURN place;
END $$;

CREATE FUNCTION workers_drop_shelf(asked integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '300ms' AS $$
BEGIN
    PERFORM FROM public.workers_shelf WHERE number = asked AND job_id IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is no such shelf that could be dropped.'
            USING ERRCODE = 'no_data_found';
    END IF;
    EXECUTE format('DROP TABLE IF EXISTS public.%I', 'workers_jobrow_' || asked);
    DELETE FROM public.workers_shelf WHERE number = asked;
END $$;

REVOKE EXECUTE ON FUNCTION workers_own_shelf(uuid), workers_drop_shelf(integer) FROM PUBLIC;
"""


class Migration(migrations.Migration):
    dependencies = [("workers", "0005_keeping")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddField("jobrow", "shelf", models.IntegerField(default=0)),
                migrations.AlterField(
                    "jobrow",
                    "job",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="workers.job",
                    ),
                ),
            ]
        ),
        migrations.RunSQL(_PARTITION, migrations.RunSQL.noop),
        isolate("workers_jobrow", referable=False),
        migrations.RunSQL(_FUNCTIONS, migrations.RunSQL.noop),
    ]
