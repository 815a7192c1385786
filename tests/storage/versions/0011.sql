-- A database of version 11, frozen: what it has beside the tables of version 10. Never changed: it stands for those that are out there.

-- Rolling windows for research, see docs/research.md: which tables ohlcv_{N}m there are, the columns of indicators that
-- all of them have, and which series of rows they hold. The tables are made by cryptopipe research build.

CREATE TABLE research_tables (
    minutes smallint PRIMARY KEY CHECK (minutes > 0)
);

CREATE TABLE research_indicators (
    name text PRIMARY KEY,
    place integer GENERATED ALWAYS AS IDENTITY
);

-- kept: programs that record keep the rows up to date, from kept_from on; NULL: from the first candle. indicators: those
-- whose values are in every row; the others are due.
CREATE TABLE research_series (
    symbol varchar(20) NOT NULL,
    minutes smallint NOT NULL REFERENCES research_tables ON DELETE CASCADE,
    kept boolean NOT NULL DEFAULT false,
    kept_from timestamptz,
    indicators text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (symbol, minutes)
);

-- What the candles of a day were when the rows of that day (UTC) were made, in a short text that differs once they do.
CREATE TABLE research_days (
    symbol varchar(20) NOT NULL,
    minutes smallint NOT NULL,
    day date NOT NULL,
    state text NOT NULL,
    PRIMARY KEY (symbol, minutes, day),
    FOREIGN KEY (symbol, minutes) REFERENCES research_series ON DELETE CASCADE
);

-- As make_trades_partition: lends a role that only records the one step which takes the ownership of the tables. A table
-- is partitioned by symbol, and each of these partitions by month. The room left in a page, and the fixed thresholds of
-- autovacuum: decision 096.
DO $$
BEGIN
    EXECUTE format($function$
        CREATE FUNCTION make_research_partition(of_minutes integer, of_symbol text, month date) RETURNS void
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, %1$I, pg_temp SET timezone = 'UTC'
        AS $body$
        DECLARE
            first constant date := date_trunc('month', month);
            parent constant text := 'ohlcv_' || of_minutes || 'm';
            branch text;
            leaf text;
        BEGIN
            PERFORM pg_advisory_xact_lock(1668446576, 0);
            SELECT parent || '_' || CASE WHEN of_symbol ~ '^[A-Za-z0-9:]+$' THEN lower(replace(of_symbol, ':', '_'))
                ELSE 'symbol_' || id END INTO branch
            FROM %1$I.symbols WHERE symbol = of_symbol;
            IF first IS NULL OR first < date '1990-01-01' OR first >= date '2100-01-01' OR branch IS NULL
                OR NOT EXISTS (SELECT FROM %1$I.research_tables WHERE minutes = of_minutes) THEN
                RETURN;
            END IF;
            leaf := branch || to_char(first, '_YYYY_MM');
            -- Attached rather than made as partitions: that locks out neither readers nor writers of other months.
            IF to_regclass(format('%1$I.%%I', branch)) IS NULL THEN
                EXECUTE format('CREATE TABLE %1$I.%%I (LIKE %1$I.%%I INCLUDING ALL) PARTITION BY RANGE (timestamp)',
                               branch, parent);
                EXECUTE format('ALTER TABLE %1$I.%%I ATTACH PARTITION %1$I.%%I FOR VALUES IN (%%L)', parent, branch,
                               of_symbol);
            END IF;
            IF to_regclass(format('%1$I.%%I', leaf)) IS NULL THEN
                EXECUTE format('CREATE TABLE %1$I.%%I (LIKE %1$I.%%I INCLUDING ALL) WITH (fillfactor = 40,
                               autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
                               autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 20000,
                               autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 10000)', leaf, parent);
                EXECUTE format('ALTER TABLE %1$I.%%I ATTACH PARTITION %1$I.%%I FOR VALUES FROM (%%L) TO (%%L)', branch,
                               leaf, first::timestamptz, (first + interval '1 month')::timestamptz);
            END IF;
        END
        $body$
    $function$, current_schema());
END
$$;
REVOKE ALL ON FUNCTION make_research_partition(integer, text, date) FROM PUBLIC;

-- Roles that were made as docs/database.md said before need the rights that they have on the likes of these.
DO $$
DECLARE
    given record;
    made text;
BEGIN
    FOR given IN
        SELECT CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS role,
            string_agg(privilege_type, ', ') AS rights
        FROM pg_class, aclexplode(relacl)
        WHERE oid = 'kline_ranges'::regclass AND grantee <> relowner
            AND privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
        GROUP BY grantee
    LOOP
        FOREACH made IN ARRAY ARRAY['research_series', 'research_days'] LOOP
            EXECUTE format('GRANT %s ON %I TO %s', given.rights, made, given.role);
        END LOOP;
        EXECUTE format('GRANT SELECT ON research_tables, research_indicators TO %s', given.role);
    END LOOP;
    FOR given IN
        SELECT CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS role
        FROM pg_proc, aclexplode(proacl)
        WHERE oid = 'make_trades_partition(date)'::regprocedure AND grantee <> proowner AND privilege_type = 'EXECUTE'
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION make_research_partition(integer, text, date) TO %s', given.role);
    END LOOP;
END
$$;

INSERT INTO schema_version (version, name) VALUES (11, 'research');
