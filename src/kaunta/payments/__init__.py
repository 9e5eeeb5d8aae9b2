"""The heart: one payment from the guest's tap to the ledger, in steps that each survive a crash.

initiate (record, ask, record the answer) · inbox (a stored callback → an event) · silence (nobody answered: ask) ·
states (pure: what an event means) · apply (the only writer of payment state) · invariants (what is always true).
"""
