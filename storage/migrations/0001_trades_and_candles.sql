-- The first tables. All lie in one schema, the first of the search path, so that a reader needs no prefix.
-- Rollup tables are rollup_1m and rollup_1h, because candles_1m and candles_1h are views that other programs read.

CREATE TABLE schema_version (
    version integer PRIMARY KEY,
    name text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE symbols (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    base text NOT NULL DEFAULT '',
    quote text NOT NULL DEFAULT '',
    tick_size numeric(20, 8) NOT NULL DEFAULT 0.00000001,
    step_size numeric(20, 8) NOT NULL DEFAULT 0.00000001,
    -- NULL: known from its trades only, not from the exchange's list.
    status text
);

-- Every trade once. Partitioned by month on plain PostgreSQL (the writer makes a month's partition when its first trade
-- comes), a hypertable where TimescaleDB is present. No index but the key: trades are found by id through rollup_1h.
DO $$
BEGIN
    CREATE TABLE trades_columns (
        symbol_id integer NOT NULL,
        time timestamptz NOT NULL,
        trade_id bigint NOT NULL,
        price numeric(20, 8) NOT NULL,
        quantity numeric(20, 8) NOT NULL,
        is_buyer_maker boolean NOT NULL,
        PRIMARY KEY (symbol_id, time, trade_id)
    );
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
        CREATE TABLE trades (LIKE trades_columns INCLUDING ALL);
        -- By its full name: the extension's schema need not be in the search path. A day of hundreds of symbols, and
        -- its index, is what a server of some gigabytes keeps in memory.
        EXECUTE (
            SELECT format('SELECT %1$I.create_hypertable(''trades'', %1$I.by_range(''time'', interval ''1 day''),
                          create_default_indexes => false)', nspname)
            FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE extname = 'timescaledb'
        );
    ELSE
        CREATE TABLE trades (LIKE trades_columns INCLUDING ALL) PARTITION BY RANGE (time);
    END IF;
    DROP TABLE trades_columns;
END
$$;

-- The ids held of each symbol, as disjoint ranges that do not touch. A hole between two is a gap.
CREATE TABLE coverage (
    symbol_id integer NOT NULL REFERENCES symbols,
    first_trade_id bigint NOT NULL,
    last_trade_id bigint NOT NULL CHECK (last_trade_id >= first_trade_id),
    PRIMARY KEY (symbol_id, first_trade_id)
) WITH (fillfactor = 50);

-- Candles kept by the writer in the transaction of their trades. Sums are plain numeric: a day of a one-satoshi coin
-- overflows numeric(20,8). The spare room keeps updates of the open candle in their page.
CREATE TABLE rollup_1m (
    symbol_id integer NOT NULL REFERENCES symbols,
    open_time timestamptz NOT NULL,
    open numeric(20, 8) NOT NULL,
    high numeric(20, 8) NOT NULL,
    low numeric(20, 8) NOT NULL,
    close numeric(20, 8) NOT NULL,
    volume numeric NOT NULL,
    quote_volume numeric NOT NULL,
    trades bigint NOT NULL,
    taker_buy_volume numeric NOT NULL,
    taker_buy_quote_volume numeric NOT NULL,
    first_trade_id bigint NOT NULL,
    last_trade_id bigint NOT NULL,
    PRIMARY KEY (symbol_id, open_time)
) WITH (fillfactor = 85);

CREATE TABLE rollup_1h (LIKE rollup_1m INCLUDING ALL, FOREIGN KEY (symbol_id) REFERENCES symbols) WITH (fillfactor = 85);

-- Closed candles as the exchange published them. seconds and months are the interval's length; one of them is 0.
CREATE TABLE klines (
    symbol_id integer NOT NULL REFERENCES symbols,
    seconds integer NOT NULL,
    months integer NOT NULL,
    open_time timestamptz NOT NULL,
    open numeric(20, 8) NOT NULL,
    high numeric(20, 8) NOT NULL,
    low numeric(20, 8) NOT NULL,
    close numeric(20, 8) NOT NULL,
    volume numeric NOT NULL,
    quote_volume numeric NOT NULL,
    trades bigint NOT NULL,
    taker_buy_volume numeric NOT NULL,
    taker_buy_quote_volume numeric NOT NULL,
    PRIMARY KEY (symbol_id, seconds, months, open_time)
);

-- Trades the database would not take as they are, kept for a person to look at. Their ids stay gaps.
CREATE TABLE refused_trades (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    refused_at timestamptz NOT NULL DEFAULT now(),
    reason text NOT NULL,
    trade jsonb NOT NULL
);

-- What other programs read.

CREATE VIEW trade_log AS
SELECT s.name AS symbol, t.trade_id, t.time, t.price, t.quantity, t.is_buyer_maker
FROM trades t
JOIN symbols s ON s.id = t.symbol_id;

DO $$
DECLARE
    row record;
    columns constant text := 'open, high, low, close, volume, quote_volume, trades, taker_buy_volume,
                              taker_buy_quote_volume, first_trade_id, last_trade_id';
BEGIN
    FOR row IN SELECT * FROM (VALUES ('1m'), ('1h')) AS level (name) LOOP
        EXECUTE format('CREATE VIEW candles_%1$s AS SELECT s.name AS symbol, r.open_time, %2$s
                        FROM rollup_%1$s r JOIN symbols s ON s.id = r.symbol_id', row.name, columns);
    END LOOP;
    FOR row IN SELECT * FROM (VALUES
        ('3m', '3 minutes', 'rollup_1m'), ('5m', '5 minutes', 'rollup_1m'), ('10m', '10 minutes', 'rollup_1m'),
        ('15m', '15 minutes', 'rollup_1m'), ('30m', '30 minutes', 'rollup_1m'), ('2h', '2 hours', 'rollup_1h'),
        ('4h', '4 hours', 'rollup_1h'), ('6h', '6 hours', 'rollup_1h'), ('12h', '12 hours', 'rollup_1h'),
        ('1d', '24 hours', 'rollup_1h')) AS level (name, length, source)
    LOOP
        EXECUTE format($view$
            CREATE VIEW candles_%s AS
            SELECT s.name AS symbol, c.open_time, c.open, c.high, c.low, c.close, c.volume, c.quote_volume, c.trades,
                c.taker_buy_volume, c.taker_buy_quote_volume, c.first_trade_id, c.last_trade_id
            FROM (
                SELECT symbol_id, date_bin(%L, open_time, timestamptz '2000-01-03 00:00:00+00') AS open_time,
                    (min(ARRAY[first_trade_id, open]))[2]::numeric(20, 8) AS open,
                    max(high) AS high, min(low) AS low,
                    (max(ARRAY[last_trade_id, close]))[2]::numeric(20, 8) AS close,
                    sum(volume) AS volume, sum(quote_volume) AS quote_volume, sum(trades)::bigint AS trades,
                    sum(taker_buy_volume) AS taker_buy_volume,
                    sum(taker_buy_quote_volume) AS taker_buy_quote_volume,
                    min(first_trade_id) AS first_trade_id, max(last_trade_id) AS last_trade_id
                FROM %I
                GROUP BY 1, 2
            ) AS c
            JOIN symbols s ON s.id = c.symbol_id
            $view$, row.name, row.length, row.source);
    END LOOP;
    EXECUTE $view$
        CREATE VIEW candles_30s AS
        SELECT s.name AS symbol, c.open_time, c.open, c.high, c.low, c.close, c.volume, c.quote_volume, c.trades,
                c.taker_buy_volume, c.taker_buy_quote_volume, c.first_trade_id, c.last_trade_id
        FROM (
            SELECT symbol_id, date_bin('30 seconds', time, timestamptz '2000-01-03 00:00:00+00') AS open_time,
                (min(ARRAY[trade_id, price]))[2]::numeric(20, 8) AS open,
                max(price) AS high, min(price) AS low,
                (max(ARRAY[trade_id, price]))[2]::numeric(20, 8) AS close,
                sum(quantity) AS volume, sum(price * quantity) AS quote_volume, count(*) AS trades,
                coalesce(sum(quantity) FILTER (WHERE NOT is_buyer_maker), 0) AS taker_buy_volume,
                coalesce(sum(price * quantity) FILTER (WHERE NOT is_buyer_maker), 0) AS taker_buy_quote_volume,
                min(trade_id) AS first_trade_id, max(trade_id) AS last_trade_id
            FROM trades
            GROUP BY 1, 2
        ) AS c
        JOIN symbols s ON s.id = c.symbol_id
        $view$;
END
$$;
