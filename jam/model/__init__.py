"""The network: layers, lyric encoder, diffusion transformer, and its weights on disk."""
