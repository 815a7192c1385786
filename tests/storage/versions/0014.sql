-- A database of version 14, frozen: what it has beside the tables of version 13. Never changed: it stands for those that are out there.

-- Drawings on charts; see docs/drawings.md and decision 102.

-- A chart may show symbols that nothing is stored of, so a symbol stands here by its name. content is JSON as it was
-- written, by this program or a newer one: json keeps it to the character, jsonb would not. What is removed stays as a
-- row without content, so that others learn of it. base_revision: the revision that whoever wrote this one had seen.
CREATE TABLE drawings (
    id uuid PRIMARY KEY,
    symbol text NOT NULL,
    revision bigint NOT NULL UNIQUE,
    base_revision bigint NOT NULL,
    desktop uuid NOT NULL,
    content json,
    changed_at timestamptz NOT NULL DEFAULT now()
);

-- The last changes of each drawing. A change that comes again is known by its id; what one overwrote without having
-- seen it is found here.
CREATE TABLE drawing_changes (
    revision bigint PRIMARY KEY,
    drawing_id uuid NOT NULL,
    change_id uuid NOT NULL UNIQUE,
    desktop uuid NOT NULL,
    content json,
    changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX drawing_changes_of_drawing ON drawing_changes (drawing_id, revision);

-- The last revision. Whoever writes locks this row first, so revisions are committed in their order. database_id tells
-- a desktop that keeps changes for this database from others it may have used.
CREATE TABLE drawing_revision (
    id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    revision bigint NOT NULL DEFAULT 0,
    database_id uuid NOT NULL DEFAULT gen_random_uuid()
);
INSERT INTO drawing_revision DEFAULT VALUES;

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
        EXECUTE format('GRANT %s ON drawings, drawing_changes, drawing_revision TO %s', given.rights, given.role);
    END LOOP;
END
$$;

INSERT INTO schema_version (version, name) VALUES (14, 'drawings');

INSERT INTO drawings (id, symbol, revision, base_revision, desktop, content)
VALUES ('00000000-0000-4000-8000-000000000001', 'BTCUSDT', 1, 0, '00000000-0000-4000-8000-000000000002', '{"kind": "horizontal_line"}');
UPDATE drawing_revision SET revision = 1;
