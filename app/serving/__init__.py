"""Others read from us: stored candles and the program's health over HTTP, live trades over WebSocket."""
