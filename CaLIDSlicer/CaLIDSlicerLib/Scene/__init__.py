"""Nodes of the scene: stacks and cines in, results out."""
