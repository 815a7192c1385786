-- A database of version 7, frozen: what it has beside the tables of version 6. Never changed: it stands for those that are out there.

DO $$
DECLARE
    of record;
    given record;
BEGIN
    FOR of IN
        SELECT 'raw_trades' AS name, 'trade_log' AS source, $view$
            SELECT t.time AS "timestamp", s.name AS symbol, t.price, t.quantity,
                CASE WHEN t.is_buyer_maker THEN 'sell' ELSE 'buy' END AS side, t.trade_id,
                NULL::bigint AS buyer_order_id, NULL::bigint AS seller_order_id
            FROM trades t
            JOIN symbols s ON s.id = t.symbol_id
            $view$ AS query
        UNION ALL
        SELECT 'trades_' || length, 'candles_' || length, format($view$
            SELECT c.open_time AS bucket, c.symbol, c.open, c.high, c.low, c.close, c.trades AS volume
            FROM candles_%s c
            $view$, length)
        FROM unnest(ARRAY['30s', '1m', '3m', '5m', '10m', '15m', '30m', '1h', '2h', '4h', '6h', '12h', '1d']) AS length
    LOOP
        CONTINUE WHEN to_regclass(format('%I.%I', current_schema(), of.name)) IS NOT NULL;
        EXECUTE format('CREATE VIEW %I AS %s', of.name, of.query);
        FOR given IN
            SELECT CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS role
            FROM pg_class, aclexplode(relacl)
            WHERE oid = of.source::regclass AND grantee <> relowner AND privilege_type = 'SELECT'
        LOOP
            EXECUTE format('GRANT SELECT ON %I TO %s', of.name, given.role);
        END LOOP;
    END LOOP;
END
$$;

INSERT INTO schema_version (version, name) VALUES (7, 'recorder_views');
