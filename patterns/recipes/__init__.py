"""Recipes: whole workflows that are good at one job, made of patterns and pure code."""
