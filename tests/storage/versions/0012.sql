-- A database of version 12, frozen: what it has beside the tables of version 11. Never changed: it stands for those that are out there.

-- Where trades and ticks must be before retention drops them: a lake, as people write one; NULL: nowhere.

ALTER TABLE retention ADD COLUMN lake text;

INSERT INTO schema_version (version, name) VALUES (12, 'retention_lake');
