import os
import sys

# As in the Makefile: what was compiled once serves every process that a test starts, each of which takes a second
# longer where the environment forbids to keep it.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# The arithmetic of tests is small: threads for matrices only turn in circles, one for each processor in each process.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
