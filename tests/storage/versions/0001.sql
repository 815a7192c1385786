-- A database of version 1, frozen: its tables, and what was recorded into them. Never changed: it stands for those that are out there.

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

-- What was recorded: repeats of a microsecond, gaps, days apart, the largest and the least amounts.
INSERT INTO schema_version (version, name) VALUES (1, 'trades_and_candles');
INSERT INTO symbols (name, base, quote, tick_size, step_size, status) VALUES
    ('BTCUSDT', 'BTC', 'USDT', 0.01, 0.00001, 'TRADING'),
    ('ETHUSDT', '', '', 0.00000001, 0.00000001, NULL),
    ('ADAUSDT', 'ADA', 'USDT', 0.0001, 0.1, 'BREAK');

DO $$
BEGIN
    IF (SELECT relkind = 'p' FROM pg_class WHERE oid = 'trades'::regclass) THEN
        CREATE TABLE trades_2024_02 (LIKE trades INCLUDING ALL);
        ALTER TABLE trades ATTACH PARTITION trades_2024_02
            FOR VALUES FROM ('2024-02-01 00:00:00+00') TO ('2024-03-01 00:00:00+00');
        CREATE TABLE trades_2024_03 (LIKE trades INCLUDING ALL);
        ALTER TABLE trades ATTACH PARTITION trades_2024_03
            FOR VALUES FROM ('2024-03-01 00:00:00+00') TO ('2024-04-01 00:00:00+00');
    END IF;
END
$$;

INSERT INTO trades VALUES
    (1, '2024-02-29 23:44:57.250000+00', 1000, 3156.99288914, 8675.77283402, true),
    (1, '2024-02-29 23:44:57.250000+00', 1001, 38977.69426333, 2103.86073288, true),
    (1, '2024-02-29 23:45:58.250000+00', 1002, 36664.25455355, 4884.09548667, true),
    (1, '2024-02-29 23:46:01.250000+00', 1003, 92000000000.00000000, 92000000000.00000001, true),
    (1, '2024-02-29 23:47:02.250000+00', 1004, 92000000000.00000000, 92000000000.00000001, false),
    (1, '2024-02-29 23:47:02.251000+00', 1005, 0.00000001, 0.00000001, false),
    (1, '2024-02-29 23:47:02.252000+00', 1006, 35394.19861997, 100.84608603, false),
    (1, '2024-02-29 23:48:03.252000+00', 1007, 52253.54064613, 7597.34787653, true),
    (1, '2024-02-29 23:48:03.502000+00', 1008, 97440.85720228, 6326.35271510, true),
    (1, '2024-02-29 23:48:04.002000+00', 1012, 15925.00258706, 7312.63190557, false),
    (1, '2024-02-29 23:48:04.252000+00', 1013, 79878.27786174, 2123.93062649, false),
    (1, '2024-02-29 23:48:04.252999+00', 1014, 14445.09270483, 5671.60744219, false),
    (1, '2024-02-29 23:48:07.252999+00', 1015, 11873.20790137, 9436.22157162, false),
    (1, '2024-02-29 23:49:08.252999+00', 1016, 68889.13057712, 9021.91908226, true),
    (1, '2024-02-29 23:49:08.253999+00', 1017, 82575.34473765, 9368.45254763, false),
    (1, '2024-02-29 23:49:08.253999+00', 1018, 88153.00183562, 7241.13187599, false),
    (1, '2024-02-29 23:50:09.253999+00', 1019, 83376.76371416, 266.27335382, true),
    (1, '2024-03-01 06:50:09.254123+00', 1021, 29797.37769500, 7035.08432798, false),
    (1, '2024-03-01 06:50:09.254123+00', 1022, 81023.66960706, 318.82084209, true),
    (1, '2024-03-01 06:50:09.254123+00', 1023, 16190.39830672, 5347.52773889, true),
    (1, '2024-03-01 06:50:09.254123+00', 1024, 98612.43937215, 8853.05291565, true),
    (1, '2024-03-01 06:50:09.504123+00', 1025, 51884.21592113, 7017.81968435, false),
    (1, '2024-03-01 06:50:09.754123+00', 1026, 25529.68514430, 7636.26694504, false),
    (1, '2024-03-01 06:50:09.754123+00', 1027, 33803.43129835, 2896.82917422, true),
    (1, '2024-03-01 06:50:26.754123+00', 1028, 85856.64307799, 9029.46171854, true),
    (1, '2024-03-01 06:50:26.755123+00', 1029, 90487.96745826, 6842.08516705, false),
    (1, '2024-03-01 06:50:26.756123+00', 1030, 10949.14591631, 9460.42895412, false),
    (1, '2024-03-01 06:50:26.756124+00', 1031, 36908.54635172, 9563.69007809, true),
    (1, '2024-03-01 06:50:43.756124+00', 1032, 455.00340468, 5347.23357439, true),
    (1, '2024-03-01 06:50:44.006124+00', 1033, 34205.91784689, 982.94962990, false),
    (1, '2024-03-04 06:50:44.006124+00', 1034, 48709.95060510, 1139.13986929, true),
    (1, '2024-03-04 06:50:44.006125+00', 1035, 55959.95920107, 836.02907245, false),
    (1, '2024-03-04 06:50:44.007124+00', 1036, 64490.35770549, 3998.94704693, false),
    (1, '2024-03-04 06:51:01.007124+00', 1037, 86577.41954969, 6878.21434038, false),
    (1, '2024-03-04 06:51:01.257124+00', 1038, 79963.22954165, 6362.56242410, false),
    (1, '2024-03-04 06:51:04.257124+00', 1039, 40791.56208643, 3206.17531679, true),
    (2, '2024-02-29 23:44:57.250000+00', 7, 21461.58224346, 8254.11084274, true),
    (2, '2024-02-29 23:45:14.250000+00', 8, 54741.93307954, 3326.35156327, true),
    (2, '2024-02-29 23:45:14.250999+00', 9, 5031.86458417, 3058.19779816, true),
    (2, '2024-02-29 23:45:17.250999+00', 10, 67003.30125197, 5073.64966919, true),
    (2, '2024-02-29 23:45:34.250999+00', 11, 5621.86903575, 3815.49133665, false),
    (2, '2024-02-29 23:45:34.251999+00', 12, 58069.35695206, 5608.63904065, false),
    (2, '2024-02-29 23:45:34.252998+00', 13, 40.95090452, 5554.65707965, true),
    (2, '2024-02-29 23:45:34.502998+00', 14, 18926.47575604, 8415.57266985, false),
    (2, '2024-02-29 23:45:34.503998+00', 15, 71300.67610360, 4996.28476952, false),
    (2, '2024-02-29 23:45:51.755998+00', 19, 11420.98192041, 5590.03027974, false),
    (2, '2024-03-01 06:45:51.756121+00', 20, 42359.22020021, 5227.59539734, false),
    (2, '2024-03-01 06:45:54.756121+00', 21, 39455.35261641, 7274.17042489, false),
    (2, '2024-03-01 06:45:57.756121+00', 22, 86439.43799777, 3599.13271597, false),
    (2, '2024-03-01 06:45:58.006121+00', 23, 58426.97044821, 114.66597053, false),
    (2, '2024-03-01 06:45:58.256121+00', 24, 68470.92911367, 742.57919269, true),
    (2, '2024-03-01 06:45:58.256121+00', 25, 2206.12848692, 9436.22741877, true),
    (2, '2024-03-01 06:46:59.256121+00', 26, 76500.76436742, 3957.03488302, false),
    (2, '2024-03-04 06:47:16.256121+00', 28, 16013.44870360, 3056.14306860, false),
    (2, '2024-03-04 06:47:16.257120+00', 29, 46372.17274397, 5154.42479955, true),
    (2, '2024-03-04 06:47:33.257120+00', 30, 69684.71629345, 5681.26977209, true),
    (2, '2024-03-04 06:47:33.507120+00', 31, 64063.79391426, 3162.54969736, true),
    (2, '2024-03-04 06:47:33.507121+00', 32, 81554.47273749, 8220.90074785, false);
INSERT INTO coverage VALUES
    (1, 1000, 1008),
    (1, 1012, 1019),
    (1, 1021, 1039),
    (2, 7, 15),
    (2, 19, 26),
    (2, 28, 32);
INSERT INTO rollup_1m VALUES
    (1, '2024-02-29 23:44:00+00', 3156.99288914, 38977.69426333, 3156.99288914, 38977.69426333, 10779.63356690, 109392993.5636171509898332, 2, 0, 0, 1000, 1001),
    (1, '2024-02-29 23:45:00+00', 36664.25455355, 36664.25455355, 36664.25455355, 36664.25455355, 4884.09548667, 179071720.1871135508261785, 1, 0, 0, 1002, 1002),
    (1, '2024-02-29 23:46:00+00', 92000000000.00000000, 92000000000.00000000, 92000000000.00000000, 92000000000.00000000, 92000000000.00000001, 8464000000000000000920.0000000000000000, 1, 0, 0, 1003, 1003),
    (1, '2024-02-29 23:47:00+00', 92000000000.00000000, 92000000000.00000000, 0.00000001, 35394.19861997, 92000000100.84608605, 8464000000000003570286.3989924018960192, 3, 92000000100.84608605, 8464000000000003570286.3989924018960192, 1004, 1006),
    (1, '2024-02-29 23:48:00+00', 52253.54064613, 97440.85720228, 11873.20790137, 11873.20790137, 38468.09213750, 1493508276.1596876793080708, 6, 24544.39154587, 480074718.5673224117353139, 1007, 1015),
    (1, '2024-02-29 23:49:00+00', 68889.13057712, 88153.00183562, 68889.13057712, 88153.00183562, 25631.50350588, 2033442872.0489953952379245, 3, 16609.58442362, 1411930710.3349756206840333, 1016, 1018),
    (1, '2024-02-29 23:50:00+00', 83376.76371416, 83376.76371416, 83376.76371416, 83376.76371416, 266.27335382, 22201010.5048270630240912, 1, 0, 0, 1019, 1019),
    (1, '2024-03-01 06:50:00+00', 29797.37769500, 98612.43937215, 455.00340468, 34205.91784689, 80331.25075031, 3739034047.1769418876568040, 13, 38974.63470844, 1525025318.7002619787887287, 1021, 1033),
    (1, '2024-03-04 06:50:00+00', 48709.95060510, 64490.35770549, 48709.95060510, 64490.35770549, 5974.11598867, 360165125.0524549717035462, 3, 4834.97611938, 304677678.2870390012961672, 1034, 1036),
    (1, '2024-03-04 06:51:00+00', 86577.41954969, 86577.41954969, 40791.56208643, 40791.56208643, 16446.95208127, 1235053987.7859775345074069, 3, 13240.77676448, 1104269088.2911588758972472, 1037, 1039),
    (2, '2024-02-29 23:44:00+00', 21461.58224346, 21461.58224346, 21461.58224346, 21461.58224346, 8254.11084274, 177146278.6980994404534804, 1, 0, 0, 7, 7),
    (2, '2024-02-29 23:45:00+00', 54741.93307954, 71300.67610360, 40.95090452, 11420.98192041, 45438.87420668, 1464157601.3408115277620812, 9, 28426.01809641, 926499504.0099083529976359, 8, 19),
    (2, '2024-03-01 06:45:00+00', 42359.22020021, 86439.43799777, 2206.12848692, 2206.12848692, 26394.37112019, 897911035.5603986029930852, 6, 16215.56450873, 826248418.1788312398425245, 20, 25),
    (2, '2024-03-01 06:46:00+00', 76500.76436742, 76500.76436742, 76500.76436742, 76500.76436742, 3957.03488302, 302716193.1795743839992084, 1, 3957.03488302, 302716193.1795743839992084, 26, 26),
    (2, '2024-03-04 06:47:00+00', 16013.44870360, 81554.47273749, 16013.44870360, 81554.47273749, 25275.28808545, 1556915097.6884896781682341, 5, 11277.04381645, 719390616.1780327735988565, 28, 32);
INSERT INTO rollup_1h VALUES
    (1, '2024-02-29 23:00:00+00', 3156.99288914, 92000000000.00000000, 0.00000001, 83376.76371416, 184000080130.44413683, 16928000000003841188078.8632332412821174, 17, 92000041254.82205554, 8464000000001895575715.3012904343153664, 1000, 1019),
    (1, '2024-03-01 06:00:00+00', 29797.37769500, 98612.43937215, 455.00340468, 34205.91784689, 80331.25075031, 3739034047.1769418876568040, 13, 38974.63470844, 1525025318.7002619787887287, 1021, 1033),
    (1, '2024-03-04 06:00:00+00', 48709.95060510, 86577.41954969, 40791.56208643, 40791.56208643, 22421.06806994, 1595219112.8384325062109531, 6, 18075.75288386, 1408946766.5781978771934144, 1034, 1039),
    (2, '2024-02-29 23:00:00+00', 21461.58224346, 71300.67610360, 40.95090452, 11420.98192041, 53692.98504942, 1641303880.0389109682155616, 10, 28426.01809641, 926499504.0099083529976359, 7, 19),
    (2, '2024-03-01 06:00:00+00', 42359.22020021, 86439.43799777, 2206.12848692, 76500.76436742, 30351.40600321, 1200627228.7399729869922936, 7, 20172.59939175, 1128964611.3584056238417329, 20, 26),
    (2, '2024-03-04 06:00:00+00', 16013.44870360, 81554.47273749, 16013.44870360, 81554.47273749, 25275.28808545, 1556915097.6884896781682341, 5, 11277.04381645, 719390616.1780327735988565, 28, 32);
INSERT INTO klines VALUES
    (1, 60, 0, '2024-02-29 23:40:00+00', 61000, 61500.5, 60900, 61200.25, 12.5, 763000.125, 90, 6.25, 381500.0625),
    (1, 0, 1, '2024-01-01 00:00:00+00', 42000, 49000, 38500, 42500, 1000000, 43000000000, 70000000, 500000, 21500000000),
    (3, 86400, 0, '2024-02-28 00:00:00+00', 0.6, 0.7, 0.5, 0.65, 5000000, 3250000, 40000, 2500000, 1625000);
INSERT INTO refused_trades (refused_at, reason, trade) VALUES
    ('2024-03-01 00:00:00+00', 'its time is out of range', '{"symbol": "BTCUSDT", "trade_id": 5, "time_us": -1}'),
    ('2024-03-01 00:00:01+00', 'its time is out of range', '{"symbol": "BTCUSDT", "trade_id": 5, "time_us": -1}'),
    ('2024-03-01 00:00:02+00', 'its id is out of range', '{"symbol": "BTCUSDT", "trade_id": 99999999999999999999}');
