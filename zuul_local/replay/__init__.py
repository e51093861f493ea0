"""A build again, from the bundle that a failed one left behind."""
