"""
The embedded server's settings: cryptopipe.conf in its cluster, rewritten at each start.

They suit a laptop that records a few thousand trades per second beside other programs and reads years of candles.
"""

from __future__ import annotations

import sys
from pathlib import Path

from storage.server.account_files import write_file
from storage.server.cluster import ServerHome

_COMMON = """\
# Written by cryptopipe at each start: changes here are lost.
listen_addresses = '{listen}'
port = {port}
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
cluster_name = 'cryptopipe'
timezone = 'UTC'
log_timezone = 'UTC'

# A handful of programs with a few sessions each. A session costs some MB once it has worked.
max_connections = 40
# A statement locks each partition or chunk that it touches, and its index: years of daily chunks need thousands of
# locks. 40 * 256 slots cost 3 MB.
max_locks_per_transaction = 256

# Enough for the newest trades and rollups. The rest is left to the system's cache, which other programs can use too.
shared_buffers = 128MB
work_mem = 16MB
maintenance_work_mem = 64MB
random_page_cost = 1.1
jit = off

# Recovery after a crash reads at most this much, which takes seconds.
max_wal_size = 1GB
wal_compression = on

# Trades are only ever inserted. Frequent small vacuums mark their pages all-visible, so that index-only scans need not
# visit the table, and the newest partition never needs one large vacuum.
autovacuum_vacuum_insert_scale_factor = 0.1
autovacuum_naptime = 30s

# One file per day of the week, overwritten after a week, so that the log's size is bounded. Statements are left out:
# all are ours, and failing ones must not fill a disk that is nearly full.
logging_collector = on
log_directory = '{log}'
log_filename = 'postgresql-%a.log'
log_truncate_on_rotation = on
log_rotation_age = 1d
log_rotation_size = 0
log_min_error_statement = panic
"""

_LINUX = """
# A killed program's statement is cancelled soon, which releases its locks.
client_connection_check_interval = 2s
"""

_MACOS = """
# On macOS a plain fsync leaves data in the drive's cache, which a power failure empties.
wal_sync_method = fsync_writethrough
"""

_TIMESCALE = """
shared_preload_libraries = 'timescaledb'
timescaledb.telemetry_level = off
timescaledb.max_background_workers = 4
max_worker_processes = 16
"""


def write_settings(home: ServerHome, *, sockets: Path | None, port: int, timescale: bool) -> None:
    """Write the settings for the server's next start; ``sockets`` None: listen on loopback. Raises OSError."""
    text = _COMMON.format(
        listen="127.0.0.1" if sockets is None else "",
        port=port,
        sockets="" if sockets is None else _quoted(f'"{sockets}"'),
        log=_quoted(home.log.as_posix()),
    )
    text += {"linux": _LINUX, "darwin": _MACOS}.get(sys.platform, "")
    text += _TIMESCALE if timescale else ""
    write_file(home.cluster / "cryptopipe.conf", text, home.account)


def _quoted(text: str) -> str:
    return text.replace("'", "''")
