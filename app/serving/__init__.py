"""Others read from us: what is stored and the program's health over HTTP, live trades over WebSocket."""
