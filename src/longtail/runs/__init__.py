"""Records of runs: which versions they read and wrote, and from what."""
