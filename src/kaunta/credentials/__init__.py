"""Each bar's Daraja credentials: stored sealed, versioned, opened for one purpose at a time."""
