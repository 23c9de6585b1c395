"""Recommenders that read the text or the attributes of items."""
