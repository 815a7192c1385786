"""The computer the program runs on and the exchange it talks to: clocks, sleep, network changes, bans."""
