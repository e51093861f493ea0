"""Source distributions of real projects, each through the job that fits it, on real nodes."""
