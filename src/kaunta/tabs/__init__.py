"""Tabs: the menu, what was ordered, what is owed, and the ledger that settles it."""
