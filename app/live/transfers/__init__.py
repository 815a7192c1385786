"""Rows between files, the exchange and the database: imports, exports, downloads and comparisons."""
