"""Rankings: which matches to ask next, and what order their outcomes support."""
