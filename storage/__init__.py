"""
Everything the program keeps: trades and candles in PostgreSQL or TimescaleDB, a spool on disk, files.

`database` opens it all. The folders from the top down; one imports only what is below it, never a sibling:

    retention         drops old trades, once a person has confirmed the period
    trades            the write path: a queue, a thread, one transaction per batch
      candles         the read path: candles of any interval, klines, symbols
      integrity       verifies what is stored against the trades, mends it, describes it
      timescale       adapts a database to its edition; converts the trades to a hypertable
    rollups           candles in SQL
      schema          tables, migrations, privileges, ranges of trade ids
    server            the embedded PostgreSQL, which needs no set-up
    postgres          connections, pool, locks, formats
    spool             trades on disk while the database does not take them
      files           candles as CSV

Synchronous psycopg, in threads of its own: no event loop ever waits for a database. `migrations` holds the SQL scripts.
"""
