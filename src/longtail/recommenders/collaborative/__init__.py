"""Recommenders that learn from behaviour alone."""
