"""
Everything the program keeps: trades, quotes and candles in PostgreSQL or TimescaleDB, a spool on disk, files.

`database` opens it all. The folders, top down: each imports only what stands below it.

    retention    drops old trades and ticks, once a person has confirmed the period
    trades       the write path of trades: one transaction per batch
    candles      the read path: candles of any interval, klines, symbols
    integrity    verifies what is stored against the trades and ticks, mends it, describes it
    timescale    adapts a database to its edition; converts the trades to a hypertable
    quotes       ticks: their write path, their candles
    writing      what the write paths share: a queue, a thread, partitions
    rollups      candles in SQL
    schema       tables, migrations, privileges, ranges of trade ids
    server       the embedded PostgreSQL, which needs no set-up
    postgres     connections, pool, locks, formats
    spool        trades and ticks on disk while the database does not take them
    files        exported files

The four from trades to timescale are siblings and do not import each other; so are rollups and schema, spool and files.
Synchronous psycopg, in threads of its own: no event loop ever waits for a database. `migrations` holds the SQL scripts.
"""
