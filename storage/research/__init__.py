"""Rolling windows of one minute's steps in tables for research, with indicators as columns."""
