"""Plain functions on behaviour tables: cleaning, splits, groups and histories."""
