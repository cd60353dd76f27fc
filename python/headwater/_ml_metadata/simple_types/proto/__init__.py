"""The message that lists the types every store has from the start."""
