"""What Kaunta costs, measured beside what the same job costs elsewhere, on one machine, in one run.

A row is one job. Its ways take turns: ours, the peer (the same job written the usual way, in `peers/`) and the limit
(what the database alone could do). `python -m bench` runs the rows, `make bench` installs the peers first.
"""
