"""A whole Zuul on one machine, with a Gerrit, a database and nodes, and what people see of it."""
