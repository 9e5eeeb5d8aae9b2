"""The tenant: a bar, and whether its guests may pay by M-Pesa now."""
