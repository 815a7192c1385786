"""Live messages: what a client asks for, where trades come from, and how they reach every client."""
