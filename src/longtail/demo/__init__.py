"""Data for a first run: MovieLens 100K, or fabricated data for the tests."""
