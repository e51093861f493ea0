"""Where the runner's own Python environments live and what the host must have."""
