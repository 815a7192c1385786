"""A loopback Dukascopy: the JSON interface and the tree of .bi5 files, recorded or simulated, with faults on demand."""
