"""Several charts in one window: their grid, each with its head."""
