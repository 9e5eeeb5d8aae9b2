"""Crash tests: every use case dies at every I/O step, somebody starts the program again, and no shilling is missing.

`steps` counts what a process says to PostgreSQL, to Safaricom and to the disk, and ends it by `os._exit` at the step it
was told; `child` is that process, forked anew for each crash; `acts` are the use cases it performs; `conftest` has the
stage around it: the bar, Safaricom (who lives on), the restart, and what must be true afterwards.
"""
