"""``zuul-local self-test``: the behaviours of roles on the labels of their jobs, what changed, and what came of it."""
