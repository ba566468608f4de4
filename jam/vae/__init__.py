"""Codecs: audio to latents and back, in overlapped chunks."""
