"""Worker processes, from a folder of arrays to their end."""
