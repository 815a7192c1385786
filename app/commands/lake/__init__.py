"""The lake: days of the database into a folder or a bucket, back, listed and verified."""
