"""The routes of stored data and of health: one module for each dialect that readers speak."""
