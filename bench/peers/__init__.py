"""The same jobs written the usual way, over the same tables: what Kaunta is measured against.

They store and credit a callback in one transaction before they answer, read a payment's state, and start one. They
skip what the usual way skips: sealing, provenance of receipts, anomalies, order of messages. Their environment is
`.venv-bench` (requirements/bench.txt); Kaunta never imports them.
"""
