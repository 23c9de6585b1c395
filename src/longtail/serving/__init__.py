"""The fitted hybrid outside of the pipelines: lists for known and unknown users, on request."""
