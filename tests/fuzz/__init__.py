"""Damaged input at the three readers that strangers can reach: callbacks, phone numbers, envelopes.

A few thousand inputs run with every `make test`; `python -m tests.fuzz --inputs 1000000` runs as many as one likes.
"""
