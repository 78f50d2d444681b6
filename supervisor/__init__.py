"""Who is in charge of a run: children, admission, clock, store."""
