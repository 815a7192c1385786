-- A database of version 3, frozen: what it has beside the tables of version 2. Never changed: it stands for those that are out there.

CREATE TABLE retention (
    id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    -- As a person confirmed it, as text ('2y') and as an interval; NULL: all trades are kept.
    keep text,
    keep_for interval,
    confirmed_at timestamptz,
    -- Trades before this may have been dropped; NULL: none was.
    kept_from timestamptz,
    -- Whether TimescaleDB's own policy drops them: then what may have been dropped moves on with the clock.
    by_policy boolean NOT NULL DEFAULT false,
    CHECK ((keep IS NULL) = (keep_for IS NULL))
);
INSERT INTO retention DEFAULT VALUES;

-- Days of long ago that trades were stored into, and when the last of them were. Retention spares such days for a while.
CREATE TABLE late_days (
    day date PRIMARY KEY,
    stored_at timestamptz NOT NULL
);

-- Called by whoever is about to store trades of long ago, in a transaction of its own: what is stored afterwards is
-- spared. It has the rights of the tables' owner, because it also puts off TimescaleDB's policy, which does not know
-- late_days; a role that only records may not.
DO $$
BEGIN
    EXECUTE format($function$
        CREATE FUNCTION note_late_days(days date[]) RETURNS void
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, %1$I, pg_temp
        AS $body$
        DECLARE
            postpone text;
        BEGIN
            INSERT INTO %1$I.late_days SELECT DISTINCT day, now() FROM unnest(days) AS day ORDER BY day
            ON CONFLICT (day) DO UPDATE SET stored_at = excluded.stored_at;
            IF NOT EXISTS (SELECT FROM %1$I.retention
                           WHERE by_policy AND (SELECT min(day) FROM unnest(days) AS day) < now() - keep_for) THEN
                RETURN;
            END IF;
            SELECT format('SELECT %%I.alter_job(job_id, next_start => now() + interval ''7 days 1 hour'')
                           FROM timescaledb_information.jobs WHERE proc_name = ''policy_retention''
                           AND hypertable_schema = %%L AND hypertable_name = ''trades''', nspname, %1$L)
            INTO postpone
            FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE extname = 'timescaledb';
            IF postpone IS NOT NULL THEN
                EXECUTE postpone;
            END IF;
        EXCEPTION
            -- The server has become an Apache edition, where no policy runs. The days are noted nevertheless.
            WHEN feature_not_supported THEN
                INSERT INTO %1$I.late_days SELECT DISTINCT day, now() FROM unnest(days) AS day ORDER BY day
                ON CONFLICT (day) DO UPDATE SET stored_at = excluded.stored_at;
        END
        $body$
    $function$, current_schema());
END
$$;

UPDATE retention SET keep = '90y', keep_for = interval '90 years', confirmed_at = '2024-03-02 00:00:00+00';
INSERT INTO late_days VALUES ('2024-02-29', '2024-03-02 00:00:00+00');
INSERT INTO schema_version (version, name) VALUES (3, 'retention');
