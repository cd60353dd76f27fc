"""The messages of Headwater's own service."""
