"""A beating heart of known shape."""
