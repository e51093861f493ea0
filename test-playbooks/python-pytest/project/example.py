"""An example."""

ANSWER = 42
