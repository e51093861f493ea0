"""Directories on this machine as a Zuul tenant: loaded and frozen by Zuul itself."""
