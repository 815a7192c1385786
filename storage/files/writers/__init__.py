"""The formats of files that leave the program: one module for each family."""
