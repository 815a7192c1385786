"""Drawings as values, their JSON, their history and their geometry."""
