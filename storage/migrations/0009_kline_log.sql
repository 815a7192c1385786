-- The candles that are stored beside the trades, for other programs: as the exchange published them, or added up from
-- aggregated trades, which `source` says. Whoever may read the candles of the trades may read it. A table or view of the
-- user's own by that name is left alone.
DO $$
DECLARE
    given record;
BEGIN
    IF to_regclass(format('%I.kline_log', current_schema())) IS NOT NULL THEN
        RETURN;
    END IF;
    CREATE VIEW kline_log AS
        SELECT s.name AS symbol, k.seconds, k.months, k.open_time, k.open, k.high, k.low, k.close, k.volume,
            k.quote_volume, k.trades, k.taker_buy_volume, k.taker_buy_quote_volume, k.source, k.complete
        FROM klines k
        JOIN symbols s ON s.id = k.symbol_id;
    FOR given IN
        SELECT CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS role
        FROM pg_class, aclexplode(relacl)
        WHERE oid = 'candles_1m'::regclass AND grantee <> relowner AND privilege_type = 'SELECT'
    LOOP
        EXECUTE format('GRANT SELECT ON kline_log TO %s', given.role);
    END LOOP;
END
$$;
