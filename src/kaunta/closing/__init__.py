"""The close of a bar's day: what came in by which way, what tabs were credited, each shilling of difference named."""
