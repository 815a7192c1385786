"""Cold rows as partitioned Parquet in a folder or a bucket, for this program and for every other tool."""
