"""Greet people."""


def greet(name: str = '') -> str:
    """Return a greeting for *name*, or for everybody."""
    return f'Hello, {name.strip() or "world"}!'
