"""Recommenders that are neural networks, and the training loop that they share."""
