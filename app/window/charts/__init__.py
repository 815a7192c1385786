"""The charts of a window: what connects each to the engine and moves it in time, and all of them together."""
