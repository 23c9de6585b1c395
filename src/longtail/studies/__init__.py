"""Studies of the language model: compression, controls, ratings, a judge, written reasons."""
