"""Chaos: the real programs on a real, durable PostgreSQL, under load, while they are killed one after another.

`programs` starts, kills and starts again what we started, by its id; `evening` is the load and the accounts afterwards.
"""
