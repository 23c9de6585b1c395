"""The hybrid: candidates from several recommenders, ranked by a gate."""
