-- Alerts that are paused and changed, and alerts on trouble with the data themselves; see docs/alerts.md.

-- symbol_id NULL: all recorded symbols, which only troubles may be about; for these by_trades is false. version grows
-- with every change, so that programs which record take the new one. notifies, sounds: how a window announces a firing.
-- replaced_by: it was changed after it had fired. This is what it was, with what it fired by its old rule; it regards no
-- trade after ends_at_id.
ALTER TABLE alerts
    ALTER COLUMN symbol_id DROP NOT NULL,
    ADD COLUMN by_trades boolean NOT NULL DEFAULT true,
    ADD COLUMN version integer NOT NULL DEFAULT 1,
    ADD COLUMN notifies boolean NOT NULL DEFAULT true,
    ADD COLUMN sounds boolean NOT NULL DEFAULT false,
    ADD COLUMN replaced_by bigint REFERENCES alerts ON DELETE CASCADE,
    ADD COLUMN ends_at_id bigint,
    ADD CHECK (symbol_id IS NOT NULL OR NOT by_trades),
    ADD CHECK (num_nulls(replaced_by, ends_at_id) IN (0, 2));

-- The figures before and at the trade, in words.
ALTER TABLE alert_firings ADD COLUMN reason text NOT NULL DEFAULT '';

-- Trades after after_id, up to until_id and before the time until, do not meet the alert; NULL: without an end. For
-- alerts on trouble, which no trade meets, only until counts.
CREATE TABLE alert_pauses (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id bigint NOT NULL REFERENCES alerts ON DELETE CASCADE,
    after_id bigint NOT NULL,
    until_id bigint,
    until timestamptz,
    began timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON alert_pauses (alert_id);

-- Troubles that alerts were about. symbol_id NULL: the program's as a whole. first_trade_id to last_trade_id: the missing
-- trades of a gap. known_before: a gap that was there when the alert was added, so that it does not fire.
CREATE TABLE alert_incidents (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id bigint NOT NULL REFERENCES alerts ON DELETE CASCADE,
    symbol_id integer,
    time timestamptz NOT NULL,
    reason text NOT NULL,
    first_trade_id bigint,
    last_trade_id bigint,
    known_before boolean NOT NULL DEFAULT false,
    noted_at timestamptz NOT NULL DEFAULT now(),
    CHECK (num_nulls(first_trade_id, last_trade_id) IN (0, 2))
);
CREATE INDEX ON alert_incidents (alert_id, symbol_id, first_trade_id);

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
        EXECUTE format('GRANT %s ON alert_pauses, alert_incidents TO %s', given.rights, given.role);
    END LOOP;
END
$$;
