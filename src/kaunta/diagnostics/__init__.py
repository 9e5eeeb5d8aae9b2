"""Diagnosis: the true cause of what is wrong, first and by name, with the step that mends it, and never a value."""
