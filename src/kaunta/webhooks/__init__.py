"""A bar's own programs are told what became of its payments: signed, at least once, and never waited for."""
