"""Sparse item graphs and nearest-neighbour search."""
