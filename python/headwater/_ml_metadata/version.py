"""The version of Google's library whose interface this is."""

__version__ = "1.17.1"
