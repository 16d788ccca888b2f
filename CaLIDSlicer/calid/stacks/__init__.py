"""Slices, where they are, and which of them are missing."""
