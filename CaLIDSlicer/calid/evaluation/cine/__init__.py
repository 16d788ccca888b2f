"""How good is a cine? The same questions over a whole heart beat."""
