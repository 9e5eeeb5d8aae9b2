"""Who may: accounts, roles, sessions, API keys, limits."""
