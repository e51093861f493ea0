"""What "zuul-local test" runs: the parts, their tools, and how what they say is counted."""
