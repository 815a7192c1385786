"""Tasks on the loop, work in threads, and the system clock."""
