-- A database of version 13, frozen: what it has beside the tables of version 12. Never changed: it stands for those that are out there.

-- Alerts on symbols, and the trades that met them; see docs/alerts.md.

-- rule is text as app.market.alerts.language reads it. An alert regards the trades after first_trade_id, which was the
-- newest one stored when it was added; NULL until anything of its symbol is stored. From warm_from_id on nothing was
-- missing then. Of the trades up to judged_to every firing is known. Only judged_to changes, often; hence the room left
-- in a page.
CREATE TABLE alerts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    symbol_id integer NOT NULL,
    rule text NOT NULL,
    repeat text NOT NULL CHECK (repeat IN ('once', 'candle', 'every')),
    name text NOT NULL DEFAULT '',
    note text NOT NULL DEFAULT '',
    expires timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    first_trade_id bigint,
    warm_from_id bigint,
    judged_to bigint,
    CHECK (num_nulls(first_trade_id, warm_from_id, judged_to) IN (0, 3))
) WITH (fillfactor = 50);

-- late: judged from the stored trades, not when the trade was received. provisional: not confirmed yet; trades before
-- it were missing then, or are not stored yet.
CREATE TABLE alert_firings (
    alert_id bigint NOT NULL REFERENCES alerts ON DELETE CASCADE,
    trade_id bigint NOT NULL,
    time timestamptz NOT NULL,
    price numeric(20, 8) NOT NULL,
    direction text NOT NULL CHECK (direction IN ('up', 'down')),
    late boolean NOT NULL,
    provisional boolean NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (alert_id, trade_id)
);

-- Grows with every alert that is added or removed; programs that record look at it.
CREATE TABLE alert_revision (
    id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    revision bigint NOT NULL DEFAULT 0
);
INSERT INTO alert_revision DEFAULT VALUES;

-- Roles that were made as docs/database.md said before need the rights that they have on the likes of these.
DO $$
DECLARE
    given record;
BEGIN
    FOR given IN
        SELECT CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS role,
            string_agg(privilege_type, ', ') AS rights
        FROM pg_class, aclexplode(relacl)
        WHERE oid = 'kline_ranges'::regclass AND grantee <> relowner
            AND privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
        GROUP BY grantee
    LOOP
        EXECUTE format('GRANT %s ON alerts, alert_firings, alert_revision TO %s', given.rights, given.role);
    END LOOP;
END
$$;

INSERT INTO schema_version (version, name) VALUES (13, 'alerts');

INSERT INTO alerts (symbol_id, rule, repeat) SELECT id, 'price crosses 65000', 'every' FROM symbols ORDER BY id LIMIT 1;
INSERT INTO alert_firings (alert_id, trade_id, time, price, direction, late, provisional)
SELECT id, 7, '2024-08-08T00:00:00Z', 65000, 'up', false, false FROM alerts;
