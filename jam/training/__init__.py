"""The training loop and what it needs: optimizer, moving average, checkpoints."""
