"""A pretrained language model that re-ranks the best content matches."""
