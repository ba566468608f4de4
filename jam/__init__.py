"""jam: songs from word-timed lyrics and a style."""

__version__ = "0.1.0"
