-- Candles that are stored beside the trades get an origin: 'kline', as the exchange published them, or 'aggtrades', added
-- up from aggregated trades by an import. Those may have been cut off where their file ended, so each says whether it is
-- complete; the ids of the trades they stand for tell whether two of them adjoin. They prove nothing of the trades.
ALTER TABLE klines
    ADD COLUMN source text NOT NULL DEFAULT 'kline' CHECK (source IN ('kline', 'aggtrades')),
    ADD COLUMN complete boolean NOT NULL DEFAULT true,
    ADD COLUMN first_trade_id bigint,
    ADD COLUMN last_trade_id bigint;
