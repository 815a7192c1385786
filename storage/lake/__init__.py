"""Partitioned Parquet in a folder or a bucket: what is cold, for this program and for every other tool."""
