"""A heart is measured in a worker, and becomes nodes: numbers, curves, and labels that beat."""
