"""How well the model predicts slices of this very stack, as nodes and in words."""
