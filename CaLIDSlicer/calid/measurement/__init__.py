"""What a heart holds and weighs, how it beats, and how sure that is."""
