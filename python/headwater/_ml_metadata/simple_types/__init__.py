"""The types that every store has from the start."""
