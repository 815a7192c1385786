-- A database of version 9, frozen: what it has beside the tables of version 8. Never changed: it stands for those that are out there.

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

INSERT INTO schema_version (version, name) VALUES (9, 'kline_log');
