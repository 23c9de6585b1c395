"""Item texts, their encoding by language models, and the adaptation of the vectors."""
