"""Deployments: what a watch decides, that it rolls back once, and the files that a host is set up by."""
