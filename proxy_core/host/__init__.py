"""Finds, checks and holds plugins."""
