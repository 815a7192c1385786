"""The machine the program runs on: clocks, sleep, network changes, bans."""
