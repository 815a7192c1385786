"""The program as a whole: real sockets, the embedded server, a real window."""
