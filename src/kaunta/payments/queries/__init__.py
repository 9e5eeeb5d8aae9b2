"""This feature's SQL, one named function a query: transactions, receipts, the inbox, limits, reading."""
