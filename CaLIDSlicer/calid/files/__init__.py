"""Stacks from and to files."""
