"""Studies: compression, vectors without language, ratings, a judge, written reasons."""
