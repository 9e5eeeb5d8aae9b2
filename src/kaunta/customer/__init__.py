"""The guest's door: menu and tab, paying, a payment's status, its receipt. HTTP and templates only."""
