"""How near measures come to those of experts' labels, and to those of a stack with twice as many slices."""
