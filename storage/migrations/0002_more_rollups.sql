-- Rollups of 5 s, 15 min and 1 day beside those of 1 min and 1 h: see storage/levels.py for why these. The new ones are
-- filled from what is there, so that every level equals the trades from the first moment.

CREATE TABLE rollup_5s (LIKE rollup_1m INCLUDING ALL, FOREIGN KEY (symbol_id) REFERENCES symbols) WITH (fillfactor = 85);
CREATE TABLE rollup_15m (LIKE rollup_1m INCLUDING ALL, FOREIGN KEY (symbol_id) REFERENCES symbols) WITH (fillfactor = 85);
CREATE TABLE rollup_1d (LIKE rollup_1m INCLUDING ALL, FOREIGN KEY (symbol_id) REFERENCES symbols) WITH (fillfactor = 85);

INSERT INTO rollup_5s
SELECT symbol_id, date_bin('5 seconds', time, timestamptz '2000-01-03 00:00:00+00'),
    (min(ARRAY[trade_id, price]))[2], max(price), min(price), (max(ARRAY[trade_id, price]))[2],
    sum(quantity), sum(price * quantity), count(*), coalesce(sum(quantity) FILTER (WHERE NOT is_buyer_maker), 0),
    coalesce(sum(price * quantity) FILTER (WHERE NOT is_buyer_maker), 0), min(trade_id), max(trade_id)
FROM trades
GROUP BY 1, 2
ORDER BY 1, 2;

INSERT INTO rollup_15m
SELECT symbol_id, date_bin('15 minutes', open_time, timestamptz '2000-01-03 00:00:00+00'),
    (min(ARRAY[first_trade_id, open]))[2], max(high), min(low), (max(ARRAY[last_trade_id, close]))[2],
    sum(volume), sum(quote_volume), sum(trades), sum(taker_buy_volume), sum(taker_buy_quote_volume),
    min(first_trade_id), max(last_trade_id)
FROM rollup_1m
GROUP BY 1, 2
ORDER BY 1, 2;

INSERT INTO rollup_1d
SELECT symbol_id, date_bin('24 hours', open_time, timestamptz '2000-01-03 00:00:00+00'),
    (min(ARRAY[first_trade_id, open]))[2], max(high), min(low), (max(ARRAY[last_trade_id, close]))[2],
    sum(volume), sum(quote_volume), sum(trades), sum(taker_buy_volume), sum(taker_buy_quote_volume),
    min(first_trade_id), max(last_trade_id)
FROM rollup_1h
GROUP BY 1, 2
ORDER BY 1, 2;

-- A condition on a view's open_time is one on the expression that makes it, which only an index on just that expression
-- answers. BRIN: some hundred kilobytes for millions of rows that mostly come in the order of time.
CREATE INDEX rollup_5s_bins ON rollup_5s USING brin (
    date_bin('30 seconds', open_time, timestamptz '2000-01-03 00:00:00+00')
) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX rollup_1m_bins ON rollup_1m USING brin (
    date_bin('3 minutes', open_time, timestamptz '2000-01-03 00:00:00+00'),
    date_bin('5 minutes', open_time, timestamptz '2000-01-03 00:00:00+00'),
    date_bin('10 minutes', open_time, timestamptz '2000-01-03 00:00:00+00')
) WITH (pages_per_range = 32, autosummarize = on);

-- A trade that contradicts the stored one of its id is kept here too, with the stored one beside it; once, however often
-- it comes.
ALTER TABLE refused_trades ADD COLUMN symbol text, ADD COLUMN trade_id bigint, ADD COLUMN stored jsonb;
UPDATE refused_trades SET symbol = trade ->> 'symbol',
    trade_id = CASE WHEN trade ->> 'trade_id' ~ '^\d{1,18}$' THEN (trade ->> 'trade_id')::bigint END;
DELETE FROM refused_trades a USING refused_trades b
WHERE a.id > b.id AND md5(a.reason || a.trade::text) = md5(b.reason || b.trade::text);
CREATE UNIQUE INDEX refused_trades_once ON refused_trades (md5(reason || trade::text));

-- The views again, each from the coarsest level that divides it. LATERAL, so that a query of one symbol reads the rows
-- of that symbol only.
DO $$
DECLARE
    row record;
    columns constant text := 'c.open_time, c.open, c.high, c.low, c.close, c.volume, c.quote_volume, c.trades,
                              c.taker_buy_volume, c.taker_buy_quote_volume, c.first_trade_id, c.last_trade_id';
BEGIN
    -- A view keeps the types of its columns: these two had sums and maxima of no declared scale.
    FOR row IN SELECT * FROM (VALUES ('15m'), ('1d')) AS level (name) LOOP
        EXECUTE format('CREATE OR REPLACE VIEW candles_%1$s AS SELECT s.name AS symbol, %2$s
                        FROM rollup_%1$s c JOIN symbols s ON s.id = c.symbol_id', row.name,
                       replace(replace(columns, 'c.high', 'c.high::numeric AS high'), 'c.low', 'c.low::numeric AS low'));
    END LOOP;
    FOR row IN SELECT * FROM (VALUES
        ('30s', '30 seconds', 'rollup_5s'), ('3m', '3 minutes', 'rollup_1m'), ('5m', '5 minutes', 'rollup_1m'),
        ('10m', '10 minutes', 'rollup_1m'), ('30m', '30 minutes', 'rollup_15m'), ('2h', '2 hours', 'rollup_1h'),
        ('4h', '4 hours', 'rollup_1h'), ('6h', '6 hours', 'rollup_1h'), ('12h', '12 hours', 'rollup_1h'))
        AS level (name, length, source)
    LOOP
        EXECUTE format($view$
            CREATE OR REPLACE VIEW candles_%s AS
            SELECT s.name AS symbol, %s
            FROM symbols s CROSS JOIN LATERAL (
                SELECT date_bin(%L, open_time, timestamptz '2000-01-03 00:00:00+00') AS open_time,
                    (min(ARRAY[first_trade_id, open]))[2]::numeric(20, 8) AS open,
                    max(high) AS high, min(low) AS low,
                    (max(ARRAY[last_trade_id, close]))[2]::numeric(20, 8) AS close,
                    sum(volume) AS volume, sum(quote_volume) AS quote_volume, sum(trades)::bigint AS trades,
                    sum(taker_buy_volume) AS taker_buy_volume,
                    sum(taker_buy_quote_volume) AS taker_buy_quote_volume,
                    min(first_trade_id) AS first_trade_id, max(last_trade_id) AS last_trade_id
                FROM %I
                WHERE symbol_id = s.id
                GROUP BY 1
            ) AS c
            $view$, row.name, columns, row.length, row.source);
    END LOOP;
END
$$;
