"""Dukascopy: ticks of the past, from its JSON interface and its older tree of .bi5 files."""
