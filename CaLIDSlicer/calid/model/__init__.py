"""The networks of the method, and their weights."""
