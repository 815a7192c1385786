"""
PostgreSQL and TimescaleDB: everything the program keeps.

`database` opens it all. Below that: `embedded` (with `cluster`, `binaries`, `filelock`) runs the server that needs no
set-up, `connection` and `migrate` prepare any server, `writer` (with `ledger`, `packing`) stores trades exactly once,
`candles` (with `candle_sql`, `klines`, `merging`) reads candles of any interval. `verify` (with `recount`,
`differences`) compares what is stored with the trades, `rebuild` mends it, `status` describes it. Synchronous psycopg,
own threads.
"""
