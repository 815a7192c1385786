"""
What the embedded server is told: cryptopipe.conf in its cluster, written anew at each start.

Fit for a laptop that records some thousand trades a second beside other programs, and reads back years of candles.
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
# Each partition or chunk that a statement meets takes a lock for itself and one for its index: years of days are
# thousands. 40 * 256 places cost 3 MB.
max_locks_per_transaction = 256

# The newest trades and rollups stay in our own memory; all else is the system's cache, which other programs can have.
shared_buffers = 128MB
work_mem = 16MB
maintenance_work_mem = 64MB
random_page_cost = 1.1
jit = off

# After a crash at most this much is read again, which takes seconds.
max_wal_size = 1GB
wal_compression = on

# Trades are only ever added, so their pages are settled soon after, a little at a time: what is settled is read without
# looking rows up, and the newest partition never needs a large vacuum at once.
autovacuum_vacuum_insert_scale_factor = 0.1
autovacuum_naptime = 30s

# One file for each day of the week, so that the log never grows for ever. Statements are left out: all are ours, and a
# disk that is full must not be filled by repeating what failed.
logging_collector = on
log_directory = '{log}'
log_filename = 'postgresql-%a.log'
log_truncate_on_rotation = on
log_rotation_age = 1d
log_rotation_size = 0
log_min_error_statement = panic
"""

_LINUX = """
# The statement of a program that was killed ends soon, and with it the locks that it holds.
client_connection_check_interval = 2s
"""

_MACOS = """
# There a plain fsync leaves the data in the drive's own memory, which a power failure empties.
wal_sync_method = fsync_writethrough
"""

_TIMESCALE = """
shared_preload_libraries = 'timescaledb'
timescaledb.telemetry_level = off
timescaledb.max_background_workers = 4
max_worker_processes = 16
"""


def write_settings(home: ServerHome, *, sockets: Path | None, port: int, timescale: bool) -> None:
    """Tell the next start of the server its settings; ``sockets`` None: on loopback instead. Raises OSError."""
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
