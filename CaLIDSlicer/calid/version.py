"""The version, where everybody may ask for it."""

__version__ = "0.2.0"
