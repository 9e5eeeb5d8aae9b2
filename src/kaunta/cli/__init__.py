"""The operator's door: one module a noun. Results on stdout, everything else on stderr."""
