"""The child process of 3D Slicer."""
