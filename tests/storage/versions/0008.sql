-- A database of version 8, frozen: what it has beside the tables of version 7. Never changed: it stands for those that are out there.

ALTER TABLE klines
    ADD COLUMN source text NOT NULL DEFAULT 'kline' CHECK (source IN ('kline', 'aggtrades')),
    ADD COLUMN complete boolean NOT NULL DEFAULT true,
    ADD COLUMN first_trade_id bigint,
    ADD COLUMN last_trade_id bigint;

INSERT INTO schema_version (version, name) VALUES (8, 'kline_sources');
