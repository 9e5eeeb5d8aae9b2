"""The machines' door: the seeds' JSON API, Safaricom's callback, health and metrics."""
