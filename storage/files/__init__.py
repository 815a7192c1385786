"""Files that leave the program or come into it."""
