"""Throw-away test nodes: podman containers with systemd, sshd and sudo."""
