"""Backups: made, read to their end, brought back and undone; never in the database they are of."""
