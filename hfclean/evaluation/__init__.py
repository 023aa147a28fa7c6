"""Evaluation: how far a score can be trusted, measured on the user's own rows. Nothing here changes a row."""
