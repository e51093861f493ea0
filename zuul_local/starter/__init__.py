"""The first ``.zuul.yaml`` of a project: what it has, what fits that, and the text with its reasons."""
