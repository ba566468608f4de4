"""How well songs are sung: timing, lyric fidelity, duration, style, sound and safety, with controls and intervals."""
