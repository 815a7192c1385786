-- A database of version 6, frozen: what it has beside the tables of version 5. Never changed: it stands for those that are out there.

CREATE TABLE kline_ranges (
    symbol_id integer NOT NULL REFERENCES symbols,
    seconds integer NOT NULL,
    months integer NOT NULL,
    first_time timestamptz NOT NULL,
    end_time timestamptz NOT NULL,
    PRIMARY KEY (symbol_id, seconds, months, first_time),
    CHECK (end_time > first_time)
);

-- Roles that were made as docs/database.md said before this table was need the rights on it that they have on coverage.
DO $$
DECLARE
    given record;
BEGIN
    FOR given IN
        SELECT CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS role,
            string_agg(privilege_type, ', ') AS rights
        FROM pg_class, aclexplode(relacl)
        WHERE oid = 'coverage'::regclass AND grantee <> relowner
            AND privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
        GROUP BY grantee
    LOOP
        EXECUTE format('GRANT %s ON kline_ranges TO %s', given.rights, given.role);
    END LOOP;
END
$$;

INSERT INTO schema_version (version, name) VALUES (6, 'kline_ranges');
