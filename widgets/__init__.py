"""The Qt widgets. They show models and emit requests; they never await, query or connect a socket."""
