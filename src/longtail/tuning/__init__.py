"""Hyper-parameter search on validation users."""
