"""The recipe of the embedded model: a synthetic singer, its corpus, codec, style encoder and measures."""
