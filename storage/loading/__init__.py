"""Rows of files into the tables, in large batches."""
