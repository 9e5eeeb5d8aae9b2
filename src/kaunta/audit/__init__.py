"""What was done, by whom: the audit as people read it and take it away."""
