"""Plumbing, ignorant of the business."""
