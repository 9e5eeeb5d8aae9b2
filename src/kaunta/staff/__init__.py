"""The counter's door: sign-in, the live board, a tab, a payment's history. HTTP and templates only."""
