"""Servers of object stores and packages: programs of their own on 127.0.0.1, with data in a folder of the test."""
from __future__ import annotations

import base64
import contextlib
import getpass
import hashlib
import http.client
import http.server
import os
import select
import signal
import socket
import socketserver
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from zuul_local.nodes.image import ensure_image
from zuul_local.nodes.labels import default_label
from zuul_local.nodes.podman import find_podman
from zuul_local.nodes.site import discover

SECONDS = 60            # in which a server has to listen
SMALL = '/small'        # disk of the node of sshd that takes 1 MB
AZURE_ACCOUNT = 'devstoreaccount1'
# Documented, the same everywhere, and good for Azurite only.
AZURE_KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=='


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.socket() as one:
        one.bind(('127.0.0.1', 0))
        return int(one.getsockname()[1])


@contextlib.contextmanager
def running(argv: Sequence[str | Path], port: int, log: Path, environ: Mapping[str, str] | None = None,
            ) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the context ends.

    :param port: it listens there when it is ready.
    :raises RuntimeError: it does not, with what it said.
    """
    with log.open('ab') as said:
        server = subprocess.Popen([str(word) for word in argv], stdout=said, stderr=said, stdin=subprocess.DEVNULL,
                                  env={**os.environ, **(environ or {})}, start_new_session=True)
    try:
        _wait(server, port, log)
        yield server
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _wait(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(('127.0.0.1', port), 1):
            return
        time.sleep(0.1)
    raise RuntimeError(f'{server.args!r} does not listen:\n{log.read_text(errors="replace")[-3000:]}')


@contextlib.contextmanager
def s3(venv: Path, folder: Path, port: int | None = None) -> Iterator[str]:
    """Run moto's S3 server, which keeps everything in memory. Yield its URL."""
    port = port or free_port()
    with running((venv / 'bin/python', '-m', 'moto.server', '-H', '127.0.0.1', '-p', str(port)), port,
                 folder / 'moto.log', {'MOTO_S3_CUSTOM_ENDPOINTS': f'http://127.0.0.1:{port}'}):
        yield f'http://127.0.0.1:{port}'


@contextlib.contextmanager
def packages(venv: Path, folder: Path, password: str) -> Iterator[str]:
    """Run a package index (pypiserver) that takes uploads of the user ``someone``. Yield its URL."""
    (folder / 'packages').mkdir()
    sha1 = base64.b64encode(hashlib.sha1(password.encode()).digest()).decode()
    (folder / 'htpasswd').write_text(f'someone:{{SHA}}{sha1}\n')
    port = free_port()
    with running((venv / 'bin/pypi-server', 'run', '--interface', '127.0.0.1', '--port', str(port), '--authenticate',
                  'update',
                  '--passwords', folder / 'htpasswd', '--disable-fallback', '--backend', 'simple-dir',
                  folder / 'packages'),
                 port, folder / 'pypi.log'):
        yield f'http://127.0.0.1:{port}/'


USER, KEY = 'test:someone', 'pAsSwOrD-of-someone'
_KINDS = ('object', 'container', 'account')
_COMMON = '[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = {port}\nuser = {user}\nswift_dir = {folder}\nworkers = 0\n'
_BACKEND = '''devices = {folder}/disks
mount_check = false
disable_fallocate = true
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
'''
_PROXY = '''[pipeline:main]
pipeline = catch_errors proxy-logging tempurl tempauth slo staticweb proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:proxy-logging]
use = egg:swift#proxy_logging
[filter:staticweb]
use = egg:swift#staticweb
[filter:tempurl]
use = egg:swift#tempurl
[filter:slo]
use = egg:swift#slo
[filter:tempauth]
use = egg:swift#tempauth
user_test_someone = {key} .admin
active_fernet_key_id = one
fernet_key_one = {fernet}
storage_url_scheme = http
'''


@contextlib.contextmanager
def swift(venv: Path, folder: Path) -> Iterator[str]:
    """Run OpenStack Swift with one disk and one copy of each object. Yield the URL where one logs in (version 1)."""
    python, user = venv / 'bin/python', getpass.getuser()
    (folder / 'disks/one').mkdir(parents=True)
    (folder / 'swift.conf').write_text(
        '[swift-hash]\nswift_hash_path_prefix = one\nswift_hash_path_suffix = two\n'
        '[storage-policy:0]\nname = one\ndefault = yes\n')
    with contextlib.ExitStack() as stack:
        for kind in (*_KINDS, 'proxy'):
            port = free_port()
            configuration = folder / f'{kind}.conf'
            text = _PROXY if kind == 'proxy' else _BACKEND
            configuration.write_text((_COMMON + text).format(
                port=port, user=user, folder=folder, kind=kind, key=KEY,
                fernet=base64.urlsafe_b64encode(os.urandom(32)).decode()))
            if kind != 'proxy':
                for step in (('create', '2', '1', '1'), ('add', f'r1z1-127.0.0.1:{port}/one', '1'), ('rebalance',)):
                    subprocess.run((python, venv / 'bin/swift-ring-builder', folder / f'{kind}.builder', *step),
                                   check=True, stdout=subprocess.DEVNULL, timeout=SECONDS)
            program = (python, Path(__file__).with_name('swift_program.py'))
            stack.enter_context(running((*program, folder / 'swift.conf', kind, configuration), port,
                                        folder / f'{kind}.log'))
        yield f'http://127.0.0.1:{port}/auth/v1.0'


@contextlib.contextmanager
def sshd(folder: Path, shared: Path) -> Iterator[tuple[int, Path, Path]]:
    """Run the sshd of a test node, for root there, with a disk :data:`SMALL`.

    Yield its port, the user's key and the file with known hosts.


    :param folder: for its keys and configuration.
    :param shared: folder that it has, too, and where *folder* is.
    """
    podman = find_podman()
    image = ensure_image(podman, default_label(), discover(os.environ), print)
    for name in ('host', 'user'):
        subprocess.run(('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', folder / name), check=True,
                       timeout=SECONDS)
    port = free_port()
    (folder / 'known').write_text(f'[127.0.0.1]:{port} {(folder / "host.pub").read_text()}')
    (folder / 'sshd_config').write_text(
        f'Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\n'
        f'StrictModes no\nPidFile none\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n')
    container = f'zuul-local-publish-{os.getpid()}-{port}'
    argv = podman.argv(
        'run', '--rm', '--name', container, '--network', 'host', *podman.ulimits, '--volume', f'{shared}:{shared}',
        '--tmpfs', f'{SMALL}:size=1m', image,
        'sh', '-c', 'mkdir -p /run/sshd && exec /usr/sbin/sshd -D -e -f "$0"', str(folder / 'sshd_config'))
    try:
        with running(argv, port, folder / 'sshd.log', podman.environ()):
            yield port, folder / 'user', folder / 'known'
    finally:
        podman.run('rm', '--force', '--ignore', '--time', '0', container)


@contextlib.contextmanager
def azurite(venv: Path, modules: Path, folder: Path) -> Iterator[str]:
    """Run Azurite, with the account and key that its documentation names. Yield its connection string."""
    port = free_port()
    with running((venv / 'bin/node', modules / 'azurite/dist/src/blob/main.js', '--silent', '--skipApiVersionCheck',
                  '--disableTelemetry', '--location', folder, '--blobHost', '127.0.0.1', '--blobPort', str(port)),
                 port, folder / 'azurite.log'):
        yield (f'DefaultEndpointsProtocol=http;AccountName={AZURE_ACCOUNT};AccountKey={AZURE_KEY};'
               f'BlobEndpoint=http://127.0.0.1:{port}/{AZURE_ACCOUNT};')


@contextlib.contextmanager
def gcs(venv: Path, folder: Path) -> Iterator[str]:
    """Run a program that answers like Google Cloud Storage, as far as its authors know it. Yield its URL."""
    port = free_port()
    with running((venv / 'bin/gcp-storage-emulator', 'start', '--host=127.0.0.1', f'--port={port}', '--in-memory'),
                 port, folder / 'gcs.log'):
        yield f'http://127.0.0.1:{port}'


Mood = Callable[[str, str], float]
"""Takes method and path of a request. Returns 0 to pass it on, a status to answer with, or less than 0: so many seconds
are waited, then the connection is dropped."""


@contextlib.contextmanager
def fickle(url: str, mood: Mood) -> Iterator[str]:
    """Stand before the server at *url* and be in a *mood*. Yield the URL to use."""
    target = urllib.parse.urlsplit(url)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = 'HTTP/1.1'

        def handle_all(self) -> None:
            body = self.rfile.read(int(self.headers.get('Content-Length', 0)))
            what = mood(self.command, self.path)
            if what < 0:
                time.sleep(-what)
                self.close_connection = True
                return
            status, headers, data = int(what), [], b''
            if not what:
                server = http.client.HTTPConnection(target.hostname or '', target.port, timeout=60)
                with contextlib.closing(server):
                    server.request(self.command, self.path, body, dict(self.headers))
                    answer = server.getresponse()
                    status, headers, data = answer.status, answer.getheaders(), answer.read()
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in ('connection', 'date', 'server', 'transfer-encoding', 'content-length'):
                    self.send_header(name, value)
            length = dict(headers).get('Content-Length', '0') if self.command == 'HEAD' else str(len(data))
            self.send_header('Content-Length', length)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_all

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f'http://127.0.0.1:{server.server_port}'
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def short_lived(port: int, most: int) -> Iterator[int]:
    """Stand before the server at *port*, cut each connection that has brought *most* bytes. Yield the port to use."""
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            left = most
            with socket.create_connection(('127.0.0.1', port)) as server:
                while left > 0:
                    for one in select.select((self.request, server), (), ())[0]:
                        data = one.recv(1 << 16)
                        if not data:
                            return
                        (server if one is self.request else self.request).sendall(data)
                        left -= len(data) if one is self.request else 0

    with socketserver.ThreadingTCPServer(('127.0.0.1', 0), Handler) as proxy:
        proxy.daemon_threads = True
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        yield proxy.server_address[1]
        proxy.shutdown()
