"""Item text, its encoding by language models, and what is built on the vectors."""
