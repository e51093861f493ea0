"""What Zuul's loader does not catch: one check a module."""
