"""Data to try the project with: MovieLens 100K, and two fabricated sets."""
