-- A database of version 4, frozen: what it has beside the tables of version 3. Never changed: it stands for those that are out there.

-- What a role that only records needs beyond its grants on the tables: a month's partition, which only the owner of
-- trades can attach. So the owner lends that one step, and nobody else needs to own or to create anything. Called before
-- the transaction that stores; see storage/partitions.py. Does nothing where trades is a hypertable.
DO $$
BEGIN
    EXECUTE format($function$
        CREATE FUNCTION make_trades_partition(month date) RETURNS void
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, %1$I, pg_temp SET timezone = 'UTC'
        AS $body$
        DECLARE
            first constant date := date_trunc('month', month);
            name constant text := 'trades_' || to_char(first, 'YYYY_MM');
        BEGIN
            PERFORM pg_advisory_xact_lock(1668446576, 0);
            IF first IS NULL OR first < date '2009-01-01' OR first >= date '2100-01-01'
                OR NOT EXISTS (SELECT FROM pg_class WHERE oid = '%1$I.trades'::regclass AND relkind = 'p')
                OR to_regclass(format('%1$I.%%I', name)) IS NOT NULL THEN
                RETURN;
            END IF;
            EXECUTE format('CREATE TABLE %1$I.%%I (LIKE %1$I.trades INCLUDING ALL)', name);
            -- Attached rather than made as a partition: that locks out neither readers nor writers of other months.
            EXECUTE format('ALTER TABLE %1$I.trades ATTACH PARTITION %1$I.%%I FOR VALUES FROM (%%L) TO (%%L)', name,
                           first::timestamptz, (first + interval '1 month')::timestamptz);
        END
        $body$
    $function$, current_schema());
END
$$;

-- Functions are everybody's at first. These are for those who record: see docs/database.md.
REVOKE ALL ON FUNCTION make_trades_partition(date), note_late_days(date[]) FROM PUBLIC;

INSERT INTO schema_version (version, name) VALUES (4, 'recording_role');
