"""Lyrics: timed words, their files, their phonemes, and the slots that the network reads."""
