"""Money that moves without a push, and its way back, while processes die."""
