"""Cleaning: turns raw files into typed tables and keeps every rejected row with its reason."""
