-- A database of version 10, frozen: what it has beside the tables of version 9. Never changed: it stands for those that are out there.

-- Symbols of several brokers, and markets of bid and ask beside those of trades.

-- A symbol is its broker and the broker's name of it. `symbol` is both in the one string that programs and views use:
-- BTCUSDT, oanda:EURUSD. Names that an import gave a broker before are split; storage/postgres/symbol_ids.py does alike.
ALTER TABLE symbols
    ADD COLUMN broker text NOT NULL DEFAULT 'binance' CHECK (broker <> ''),
    -- What a broker's description may say besides; NULL: not known.
    ADD COLUMN exchange text,
    ADD COLUMN asset_class text,
    ADD COLUMN calendar text,
    ADD COLUMN time_zone text,
    ADD COLUMN first_date date,
    ADD COLUMN last_date date,
    ADD COLUMN active boolean,
    DROP CONSTRAINT symbols_name_key;
UPDATE symbols SET broker = split_part(name, ':', 1), name = substring(name FROM position(':' IN name) + 1)
WHERE name LIKE '_%:_%' AND name NOT LIKE ':%' AND name NOT LIKE 'binance:%';
ALTER TABLE symbols
    ADD COLUMN symbol text NOT NULL
        GENERATED ALWAYS AS (CASE WHEN broker = 'binance' THEN name ELSE broker || ':' || name END) STORED,
    ADD UNIQUE (broker, name),
    ADD UNIQUE (symbol);

DO $$
DECLARE
    of record;
BEGIN
    FOR of IN
        SELECT c.relname AS name, pg_get_viewdef(c.oid) AS query,
            coalesce('WITH (' || array_to_string(c.reloptions, ', ') || ')', '') AS options
        FROM pg_class c
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'v'
            AND (c.relname IN ('trade_log', 'raw_trades', 'kline_log') OR c.relname ~ '^candles_\d+[smhd]$')
    LOOP
        EXECUTE format('CREATE OR REPLACE VIEW %I %s AS %s', of.name, of.options,
                       replace(of.query, 's.name AS symbol', 's.symbol'));
    END LOOP;
END
$$;

-- Every published bid and ask once. `place` tells those of one symbol and time apart, in the source's order, from 0.
-- Sizes are in millions of the base asset, 0 where the source gives none. Partitioned by month on plain PostgreSQL; a
-- hypertable where TimescaleDB is present, by week: history goes back for decades, and a query plans all the chunks in
-- its range.
DO $$
BEGIN
    CREATE TABLE quotes_columns (
        symbol_id integer NOT NULL,
        time timestamptz NOT NULL,
        place smallint NOT NULL,
        bid numeric(20, 8) NOT NULL,
        ask numeric(20, 8) NOT NULL,
        bid_size numeric(20, 8) NOT NULL,
        ask_size numeric(20, 8) NOT NULL,
        PRIMARY KEY (symbol_id, time, place)
    );
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
        CREATE TABLE quotes (LIKE quotes_columns INCLUDING ALL);
        EXECUTE (
            SELECT format('SELECT %1$I.create_hypertable(''quotes'', %1$I.by_range(''time'', interval ''7 days''),
                          create_default_indexes => false)', nspname)
            FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE extname = 'timescaledb'
        );
    ELSE
        CREATE TABLE quotes (LIKE quotes_columns INCLUDING ALL) PARTITION BY RANGE (time);
    END IF;
    DROP TABLE quotes_columns;
END
$$;

-- Candles of the quotes, kept by the writer in the transaction of their quotes, so that they also tell which times the
-- stored quotes cover. `mid` is the mean of bid and ask, without what is beyond the eighth place. The first and last
-- quote, by time and place, decide which of two parts opens and closes their sum. No foreign keys, as quotes have none:
-- one candle has only some ten quotes, so checking each would cost as much as storing them.
CREATE TABLE quote_rollup_5s (
    symbol_id integer NOT NULL,
    open_time timestamptz NOT NULL,
    bid_open numeric(20, 8) NOT NULL,
    bid_high numeric(20, 8) NOT NULL,
    bid_low numeric(20, 8) NOT NULL,
    bid_close numeric(20, 8) NOT NULL,
    ask_open numeric(20, 8) NOT NULL,
    ask_high numeric(20, 8) NOT NULL,
    ask_low numeric(20, 8) NOT NULL,
    ask_close numeric(20, 8) NOT NULL,
    mid_open numeric(20, 8) NOT NULL,
    mid_high numeric(20, 8) NOT NULL,
    mid_low numeric(20, 8) NOT NULL,
    mid_close numeric(20, 8) NOT NULL,
    ticks bigint NOT NULL,
    bid_volume numeric NOT NULL,
    ask_volume numeric NOT NULL,
    first_time timestamptz NOT NULL,
    first_place smallint NOT NULL,
    last_time timestamptz NOT NULL,
    last_place smallint NOT NULL,
    PRIMARY KEY (symbol_id, open_time)
) WITH (fillfactor = 85);
CREATE TABLE quote_rollup_1m (LIKE quote_rollup_5s INCLUDING ALL) WITH (fillfactor = 85);
CREATE TABLE quote_rollup_15m (LIKE quote_rollup_5s INCLUDING ALL) WITH (fillfactor = 85);
CREATE TABLE quote_rollup_1h (LIKE quote_rollup_5s INCLUDING ALL) WITH (fillfactor = 85);
CREATE TABLE quote_rollup_1d (LIKE quote_rollup_5s INCLUDING ALL) WITH (fillfactor = 85);
CREATE INDEX quote_rollup_1m_bins ON quote_rollup_1m USING brin (
    date_bin('5 minutes', open_time, timestamptz '2000-01-03 00:00:00+00')
) WITH (pages_per_range = 32, autosummarize = on);

-- Of which times a source was asked for its quotes: from first_time to before end_time it has those that are stored, and
-- no others. Ranges of a symbol neither overlap nor touch.
CREATE TABLE fetched_quotes (
    symbol_id integer NOT NULL REFERENCES symbols,
    first_time timestamptz NOT NULL,
    end_time timestamptz NOT NULL,
    PRIMARY KEY (symbol_id, first_time),
    CHECK (end_time > first_time)
);

-- Candles as the broker published them. seconds and months are the interval's length; one of them is 0. A broker may
-- publish one side only, with or without a volume. `source` names the broker's kind of candle.
CREATE TABLE quote_klines (
    symbol_id integer NOT NULL REFERENCES symbols,
    seconds integer NOT NULL,
    months integer NOT NULL,
    open_time timestamptz NOT NULL,
    bid_open numeric(20, 8),
    bid_high numeric(20, 8),
    bid_low numeric(20, 8),
    bid_close numeric(20, 8),
    ask_open numeric(20, 8),
    ask_high numeric(20, 8),
    ask_low numeric(20, 8),
    ask_close numeric(20, 8),
    mid_open numeric(20, 8),
    mid_high numeric(20, 8),
    mid_low numeric(20, 8),
    mid_close numeric(20, 8),
    ticks bigint,
    bid_volume numeric,
    ask_volume numeric,
    complete boolean NOT NULL DEFAULT true,
    source text NOT NULL,
    PRIMARY KEY (symbol_id, seconds, months, open_time),
    CHECK (num_nulls(bid_open, bid_high, bid_low, bid_close) IN (0, 4)),
    CHECK (num_nulls(ask_open, ask_high, ask_low, ask_close) IN (0, 4)),
    CHECK (num_nulls(mid_open, mid_high, mid_low, mid_close) IN (0, 4)),
    CHECK (num_nonnulls(bid_open, ask_open, mid_open) > 0)
);

-- Quotes the database would not take as they are, or that contradict the stored one of their symbol, time and place.
CREATE TABLE refused_quotes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    refused_at timestamptz NOT NULL DEFAULT now(),
    reason text NOT NULL,
    symbol text,
    quote jsonb NOT NULL,
    stored jsonb
);
CREATE UNIQUE INDEX refused_quotes_once ON refused_quotes (md5(reason || quote::text));

-- How long quotes are kept; see the table retention, which says the same of trades. The program drops them.
CREATE TABLE quote_retention (
    id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    keep text,
    keep_for interval,
    confirmed_at timestamptz,
    kept_from timestamptz,
    CHECK ((keep IS NULL) = (keep_for IS NULL))
);
INSERT INTO quote_retention DEFAULT VALUES;

-- Days of long ago that quotes were stored into, and when the last of them were. Retention spares such days for a while.
CREATE TABLE late_quote_days (
    day date PRIMARY KEY,
    stored_at timestamptz NOT NULL
);

-- As make_trades_partition: lends a role that only records the one step which takes the ownership of quotes. Does nothing
-- where quotes is a hypertable.
DO $$
BEGIN
    EXECUTE format($function$
        CREATE FUNCTION make_quotes_partition(month date) RETURNS void
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, %1$I, pg_temp SET timezone = 'UTC'
        AS $body$
        DECLARE
            first constant date := date_trunc('month', month);
            name constant text := 'quotes_' || to_char(first, 'YYYY_MM');
        BEGIN
            PERFORM pg_advisory_xact_lock(1668446576, 0);
            IF first IS NULL OR first < date '1990-01-01' OR first >= date '2100-01-01'
                OR NOT EXISTS (SELECT FROM pg_class WHERE oid = '%1$I.quotes'::regclass AND relkind = 'p')
                OR to_regclass(format('%1$I.%%I', name)) IS NOT NULL THEN
                RETURN;
            END IF;
            EXECUTE format('CREATE TABLE %1$I.%%I (LIKE %1$I.quotes INCLUDING ALL)', name);
            -- Attached rather than made as a partition: that locks out neither readers nor writers of other months.
            EXECUTE format('ALTER TABLE %1$I.quotes ATTACH PARTITION %1$I.%%I FOR VALUES FROM (%%L) TO (%%L)', name,
                           first::timestamptz, (first + interval '1 month')::timestamptz);
        END
        $body$
    $function$, current_schema());
END
$$;
REVOKE ALL ON FUNCTION make_quotes_partition(date) FROM PUBLIC;

-- The days on which a market is open, and when. A holiday has no start and no end.
CREATE TABLE trading_sessions (
    exchange text NOT NULL,
    session_date date NOT NULL,
    session_start timestamptz,
    session_end timestamptz,
    total_minutes integer NOT NULL DEFAULT 0 CHECK (total_minutes >= 0),
    is_half_day boolean NOT NULL DEFAULT false,
    is_holiday boolean NOT NULL DEFAULT false,
    notes text NOT NULL DEFAULT '',
    PRIMARY KEY (exchange, session_date),
    CHECK (num_nulls(session_start, session_end) IN (0, 2)),
    CHECK (session_end > session_start)
);

-- What the price did between two sessions. The last three follow from the two prices, so that they always agree.
CREATE TABLE session_gaps (
    symbol text NOT NULL,
    session_date date NOT NULL,
    prior_close numeric(20, 8) NOT NULL,
    current_open numeric(20, 8) NOT NULL,
    gap_amount numeric(20, 8) NOT NULL GENERATED ALWAYS AS (current_open - prior_close) STORED,
    gap_percent numeric(20, 8)
        GENERATED ALWAYS AS (round((current_open - prior_close) * 100 / nullif(prior_close, 0), 8)) STORED,
    gap_direction text NOT NULL GENERATED ALWAYS AS (
        CASE WHEN current_open > prior_close THEN 'up' WHEN current_open < prior_close THEN 'down' ELSE 'flat' END
    ) STORED,
    PRIMARY KEY (symbol, session_date)
);

-- Roles that were made as docs/database.md said before these tables were need the rights that they have on their likes.
CREATE FUNCTION pg_temp.grant_alike(made text, alike text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    given record;
BEGIN
    FOR given IN
        SELECT CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS role,
            string_agg(privilege_type, ', ') AS rights
        FROM pg_class, aclexplode(relacl)
        WHERE oid = alike::regclass AND grantee <> relowner
            AND privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
        GROUP BY grantee
    LOOP
        EXECUTE format('GRANT %s ON %I TO %s', given.rights, made, given.role);
    END LOOP;
END
$$;

DO $$
DECLARE
    given record;
BEGIN
    PERFORM pg_temp.grant_alike(made, alike)
    FROM (VALUES ('quotes', 'trades'), ('refused_quotes', 'refused_trades'), ('quote_klines', 'klines'),
        ('quote_rollup_5s', 'rollup_5s'), ('quote_rollup_1m', 'rollup_1m'), ('quote_rollup_15m', 'rollup_15m'),
        ('quote_rollup_1h', 'rollup_1h'), ('quote_rollup_1d', 'rollup_1d'), ('fetched_quotes', 'kline_ranges'),
        ('late_quote_days', 'klines'), ('quote_retention', 'retention'), ('trading_sessions', 'kline_ranges'),
        ('session_gaps', 'kline_ranges')) AS pair (made, alike);
    FOR given IN
        SELECT CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS role
        FROM pg_proc, aclexplode(proacl)
        WHERE oid = 'make_trades_partition(date)'::regprocedure AND grantee <> proowner AND privilege_type = 'EXECUTE'
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION make_quotes_partition(date) TO %s', given.role);
    END LOOP;
END
$$;

-- What other programs read: the quotes, and candles of their mid. Whoever may read the view of trades beside each may
-- read it. A table or view of the user's own by such a name is left alone.
DO $$
DECLARE
    of record;
    columns constant text := 'c.mid_open AS open, c.mid_high AS high, c.mid_low AS low, c.mid_close AS close, c.ticks';
BEGIN
    FOR of IN
        SELECT 'market_ticks' AS name, 'trade_log' AS alike, $view$
            SELECT s.symbol, q.time, q.bid, q.ask FROM quotes q JOIN symbols s ON s.id = q.symbol_id
            $view$ AS query
        UNION ALL
        SELECT 'forex_candles_' || length, 'candles_' || length, format($view$
            SELECT s.symbol, c.open_time AS bucket, %s
            FROM quote_rollup_%s c JOIN symbols s ON s.id = c.symbol_id
            $view$, columns, length)
        FROM unnest(ARRAY['15m', '1h']) AS length
        UNION ALL
        -- From the coarsest level that divides them. LATERAL, so that a query of one symbol reads the rows of that
        -- symbol only. The least and the greatest of the arrays (time, price) carry the price along.
        SELECT 'forex_candles_' || name, 'candles_' || name, format($view$
            SELECT s.symbol, c.bucket, %s
            FROM symbols s CROSS JOIN LATERAL (
                SELECT date_bin(%L, open_time, timestamptz '2000-01-03 00:00:00+00') AS bucket,
                    (min(ARRAY[extract(epoch FROM open_time), mid_open]))[2]::numeric(20, 8) AS mid_open,
                    max(mid_high)::numeric(20, 8) AS mid_high, min(mid_low)::numeric(20, 8) AS mid_low,
                    (max(ARRAY[extract(epoch FROM open_time), mid_close]))[2]::numeric(20, 8) AS mid_close,
                    sum(ticks)::bigint AS ticks
                FROM %I
                WHERE symbol_id = s.id
                GROUP BY 1
            ) AS c
            $view$, columns, length, source)
        FROM (VALUES ('5m', '5 minutes', 'quote_rollup_1m'), ('4h', '4 hours', 'quote_rollup_1h'),
            ('12h', '12 hours', 'quote_rollup_1h')) AS level (name, length, source)
    LOOP
        CONTINUE WHEN to_regclass(format('%I.%I', current_schema(), of.name)) IS NOT NULL;
        EXECUTE format('CREATE VIEW %I AS %s', of.name, of.query);
        PERFORM pg_temp.grant_alike(of.name, of.alike);
    END LOOP;
END
$$;
DROP FUNCTION pg_temp.grant_alike(text, text);

INSERT INTO trading_sessions (exchange, session_date, session_start, session_end, total_minutes, notes)
VALUES ('FOREX', '2024-08-08', '2024-08-07 21:00+00', '2024-08-08 21:00+00', 1440, 'as stored');
INSERT INTO session_gaps (symbol, session_date, prior_close, current_open)
VALUES ('oanda:EURUSD', '2024-08-08', 1.09215, 1.0924);

INSERT INTO schema_version (version, name) VALUES (10, 'brokers_and_quotes');
