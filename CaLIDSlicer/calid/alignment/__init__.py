"""Breath-hold shifts: how far each slice was displaced in its plane, found from the pictures alone."""
