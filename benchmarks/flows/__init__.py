"""Workflows that are killed and resumed to be measured; each uses other verbs than the next."""
