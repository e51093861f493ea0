"""Who leads: the one who holds the lock."""
from kazoo.client import KazooClient


def take(client: KazooClient, name: str, seconds: float) -> bool:
    """Return whether *name* leads from now on."""
    return client.Lock('/leader', name).acquire(timeout=seconds) if client.connected else False
