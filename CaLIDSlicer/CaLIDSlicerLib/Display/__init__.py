"""What the views of Slicer show of a result."""
