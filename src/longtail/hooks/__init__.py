"""Hooks: tracking and lineage of every run."""
