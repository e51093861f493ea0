"""Stand-ins for the servers that Zuul's loader and freezer expect around them (seams S3 to S8).

Zuul 14.3.0 itself works without them in ``Scheduler.validateTenants`` and ``ZuulWeb._freeze_jobs``; these are the
same gaps, filled. ``install()`` puts those in place that Zuul reaches through module globals.
"""

from __future__ import annotations

import configparser
import contextlib
import hashlib
import logging
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from zuul import model
from zuul.lib import tracing, yamlutil
from zuul.model_api import MODEL_API
from zuul.zk.components import COMPONENT_REGISTRY


class ZooKeeper:
    """Only the loader's clock is asked for (S3)."""

    client = None

    def getCurrentLtime(self) -> int:
        return 1


class _FilesCache(dict[str, str]):
    ltime = -1

    def setValidFor(self, *args: Any) -> None:
        return None


class ConfigCache:
    """A cache of configuration files that is always empty: files are read from disk on each load (S3)."""

    def getFilesCache(self, project: str, branch: str) -> _FilesCache:
        return _FilesCache()

    @contextlib.contextmanager
    def _lock(self, *args: Any) -> Iterator[None]:
        yield

    readLock = writeLock = _lock


class KeyStore:
    """The keys that only the real server has (S4)."""

    def getProjectSecretsKeys(self, connection: str, project: str) -> tuple[None, None]:
        return None, None

    def getProjectSSHKeys(self, connection: str, project: str) -> tuple[str, str]:
        return '', ''

    def getTenantSSHKeys(self, tenant: str) -> tuple[str, str]:
        return '', ''


class BlobStore:
    """Zuul's blob store, in memory (S5)."""

    blobs: dict[str, bytes] = {}

    def __init__(self, context: Any) -> None:
        self.context = context

    def put(self, data: bytes, live_blobs: Any = None) -> str:
        key = hashlib.sha256(data).hexdigest()
        self.blobs[key] = data
        return key

    def get(self, key: str) -> bytes:
        return self.blobs[key]


def install() -> None:
    """Put the stand-ins in place that Zuul looks up in its own modules. May be called again."""
    # what a person must know is in the results; without a handler Python prints warnings of Zuul's loggers as they come
    logging.getLogger().addHandler(logging.NullHandler())
    # S5: loading decrypts every secret to validate it; what a build gets comes from --secret, never from here.
    yamlutil.EncryptedPKCS1_OAEP.decrypt = lambda self, key: 'not decrypted'
    model.BlobStore = BlobStore
    # S6: normally set when a component registers itself
    COMPONENT_REGISTRY.registry = SimpleNamespace(model_api=MODEL_API)
    # S7: QueueItem.new() opens a span
    tracing.Tracing(configparser.ConfigParser())
    # S8: a large job must not be split over several nodes of a store that is not there
    model.FrozenJob.MAX_DATA_LEN = 1 << 40
