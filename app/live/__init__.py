"""What happens, without Qt: recording, repairing, the session behind a chart, export. Runs headless as it is."""
