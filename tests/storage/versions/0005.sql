-- A database of version 5, frozen: what it has beside the tables of version 4. Never changed: it stands for those that are out there.

CREATE TABLE absent_trades (
    symbol_id integer NOT NULL REFERENCES symbols,
    first_trade_id bigint NOT NULL,
    last_trade_id bigint NOT NULL CHECK (last_trade_id >= first_trade_id),
    PRIMARY KEY (symbol_id, first_trade_id)
);

-- Who may change the coverage must be able to change this, and nobody should have to be told again: see docs/database.md.
DO $$
DECLARE
    held record;
BEGIN
    FOR held IN
        SELECT acl.grantee, acl.privilege_type
        FROM pg_class, aclexplode(relacl) AS acl
        WHERE oid = 'coverage'::regclass AND acl.grantee <> relowner
            AND acl.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
    LOOP
        EXECUTE format('GRANT %s ON absent_trades TO %s', held.privilege_type,
                       CASE WHEN held.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(held.grantee)) END);
    END LOOP;
END
$$;

INSERT INTO schema_version (version, name) VALUES (5, 'absent_trades');
