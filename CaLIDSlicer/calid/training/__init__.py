"""Training of the two stages. Needs the training data; nothing here runs during reconstruction."""
