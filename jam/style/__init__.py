"""Style encoders: a reference clip or a prompt to a 512-vector."""
