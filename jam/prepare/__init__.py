"""Recordings and lyrics to training shards: read, checked, timed, encoded, packed, reported. `jam.data.prepare` is its command."""
