"""Several charts in one window: their arrangement, links and workspaces."""
