"""The panel: widgets, their state and what they start."""
