"""Simulated agents: keyed randomness, profiles, mechanisms."""
