"""Webhooks' SQL: endpoints, what there is to tell, and its delivery."""
