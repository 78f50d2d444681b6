"""Workflows that are there to be measured, and synthetic evidence for the hunt."""
