"""How well the model predicts slices of this very stack that were acquired."""
