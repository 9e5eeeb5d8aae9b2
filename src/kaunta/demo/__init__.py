"""The demo: everything on one machine, to be tried by a person (`setup`, `bar`) or by itself (`cases`, `check`)."""
