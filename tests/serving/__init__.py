"""Tests of the server that others read from."""
