"""Stored songs: shards on disk to batches for training."""
