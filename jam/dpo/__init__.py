"""Preference tuning: of two recordings of a song the better one is made likelier, compared with where the network started."""
