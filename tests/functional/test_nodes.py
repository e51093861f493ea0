"""Real nodes: what they are, what they reach, and that nothing of them stays."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import unittest
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]

from zuul_local import paths, process
from zuul_local.errors import UserError
from zuul_local.nodes import container, image, keeper, labels, owner
from zuul_local.nodes.container import Node, Nodes
from zuul_local.nodes.podman import Podman, find_podman
from zuul_local.nodes.site import File, Site, discover

LABELS = labels.load_labels()
BULLSEYE, BOOKWORM, TRIXIE, OFFLINE = (
    LABELS[f'debian-{name}'] for name in ('bullseye', 'bookworm', 'trixie', 'bookworm-offline'))
STANDIN, STANDIN_OFFLINE = (LABELS[name] for name in ('rpm-standin', 'rpm-standin-offline'))
PIP = 'python3 $(ls /opt/cache/wheels/pip-*.whl)/pip'
FACTS = json.loads((image.RECIPE / 'facts.schema.json').read_text())
COMMANDS = ("python3 -c 'import json, sys;"
            ' print(json.load(open("/etc/ci-node-facts.json"))["commands"][sys.argv[1]])\'')
UV = '/usr/uv-env/bin/uv -q'
GONE = 10               # seconds in which a killed run must be gone

RUNNER = textwrap.dedent('''\
    import os, sys, time
    from zuul_local import paths
    from zuul_local.nodes import container, image, keeper, labels, owner, podman, site
    run_id = os.environ['ZLOCAL_RUN']
    folder = paths.runs_dir() / run_id
    folder.mkdir(mode=0o700)
    owner.claim(folder)
    tool = podman.find_podman()
    if 'keeper' in sys.argv:
        keeper.Keeper.start(run_id, tool.argv(), folder)
    nodes = container.Nodes(tool, run_id, folder / 'nodes', site.Site())
    names = ('debian-bookworm', 'debian-bookworm-offline')
    wanted = [(name, labels.load_labels()[name]) for name in names]
    print('starting', flush=True)
    nodes.start(wanted, {label.name: image.reference(label) for _, label in wanted})
    print('up', flush=True)
    time.sleep(600)
''')


def report(line: str) -> None:
    print(line, file=sys.stderr)


class NodesTest(unittest.TestCase):
    podman: Podman
    site: Site
    images: dict[str, str]

    @classmethod
    def setUpClass(cls) -> None:
        cls.podman = find_podman()
        cls.site = discover(os.environ)
        cls.images = {label.name: image.ensure_image(cls.podman, label, cls.site, report)
                      for label in LABELS.values() if label.tried}

    def make_nodes(self, site: Site | None = None, keep: bool = False) -> Nodes:
        folder = Path(tempfile.mkdtemp(prefix='zl-test-'))
        self.addCleanup(shutil.rmtree, folder)
        nodes = Nodes(self.podman, os.urandom(4).hex(), folder, self.site if site is None else site, keep, 900)
        self.addCleanup(nodes.stop)
        return nodes

    def left(self, run_id: str) -> list[str]:
        """Return all that is there of a run: containers, networks, processes, its folder."""
        names = [(entry['Names'] or [''])[0] for entry in self.podman.listed('ps', '-a', '--external')] \
            + [name for name, _ in container.networks(self.podman)]
        folder = paths.runs_dir() / run_id
        return [name for name in names if run_id in name] + [str(pid) for pid in keeper.marked(run_id)] \
            + ([str(folder)] if folder.exists() else [])

    def assert_gone(self, run_id: str, seconds: float = GONE) -> None:
        end = time.monotonic() + seconds
        while (left := self.left(run_id)) and time.monotonic() < end:
            time.sleep(0.1)
        self.assertEqual([], left)


class SideBySide(NodesTest):
    """Nodes of one run."""

    nodes: Nodes

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        folder = Path(tempfile.mkdtemp(prefix='zl-test-'))
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.nodes = Nodes(cls.podman, os.urandom(4).hex(), folder, cls.site, max_seconds=900)
        cls.addClassCleanup(cls.nodes.stop)
        cls.nodes.start([('one', BOOKWORM), ('two', TRIXIE), ('three', OFFLINE), ('four', BULLSEYE),
                         ('five', STANDIN), ('six', STANDIN_OFFLINE)], cls.images)
        cls.nodes.wait(60)

    def on(self, name: str, command: str, code: int = 0) -> str:
        done = process.run(self.nodes.ssh_argv(self.nodes.addresses[name], command), check=False, timeout=180)
        self.assertEqual(code, done.returncode, f'{name}: {command}\n{done.stdout}{done.stderr}')
        return done.stdout.strip()

    def each(self) -> list[Node]:
        return list(self.nodes.addresses.values())

    def test_they_have_booted_cleanly(self) -> None:
        for node in self.each():
            with self.subTest(node.label.name):
                self.assertEqual('running', self.on(node.name, 'systemctl is-system-running --wait'))
                self.assertEqual('', self.on(node.name, 'systemctl --failed --plain --no-legend'))
                self.assertEqual(node.name, self.on(node.name, 'hostname'))

    def test_they_are_what_their_label_says(self) -> None:
        for node in self.each():
            with self.subTest(node.label.name):
                facts = json.loads(self.on(node.name, 'cat /etc/ci-node-facts.json'))
                jsonschema.validate(facts, FACTS)
                self.assertEqual(node.label.image, facts['label'])
                self.assertEqual(node.label.release, facts['os']['codename'] or facts['os']['version'].split('.')[0])
                self.assertIn('git', facts['packages'])
                self.assertEqual(list(node.label.pythons), facts['pythons'])
                self.assertEqual(node.label.pythons[0], self.on(
                    node.name, f'{node.label.python_path} -c "import sys; print(*sys.version_info[:2], sep=chr(46))"'))

    def test_zuul_is_root_when_it_wants_and_speaks_utf8(self) -> None:
        for node in self.each():
            with self.subTest(node.label.name):
                self.assertEqual('0', self.on(node.name, 'sudo -n id -u'))
                self.assertEqual('UTF-8', self.on(node.name, 'locale charmap'))

    def test_tools_are_in_venvs_and_nowhere_else(self) -> None:
        for node in self.each():
            with self.subTest(node.label.name):
                for command in ('python3 -m pip --version', 'command -v pip', 'command -v tox', 'command -v bindep'):
                    self.on(node.name, f'! {command}')
                for name in ('tox', 'bindep', 'stestr', 'subunit2html', 'uv', 'zuul-cloner'):
                    self.on(node.name, f'test -x "$({COMMANDS} {name})"')
                self.on(node.name, '/usr/tox-env/bin/tox --version && /usr/bindep-env/bin/bindep --help')
                self.assertIn('<html', self.on(
                    node.name, 'echo "1..1\nok 1 - one" | /usr/stestr-env/bin/tap2subunit > out.subunit'
                               ' && /usr/stestr-env/bin/subunit2html out.subunit out.html && cat out.html'))

    def test_the_caches_are_enough_to_make_a_venv_with_tox(self) -> None:
        for node in self.each():
            with self.subTest(node.label.name):
                self.on(node.name, 'python3 -m venv --without-pip try')
                self.on(node.name, 'try/bin/python /opt/cache/files/get-pip.py -q --no-index'
                                   ' --find-links /opt/cache/wheels tox')
                self.on(node.name, 'try/bin/tox --version')

    def test_zuul_cloner_takes_what_the_build_has(self) -> None:
        for node in self.each():
            with self.subTest(node.label.name):
                self.on(node.name, 'git init -q src/example.org/a/one && cd src/example.org/a/one && git -c user.name=a'
                                   ' -c user.email=a@example.org commit -q --allow-empty -m one')
                self.assertIn('from workspace', self.on(
                    node.name, '$(' + COMMANDS + ' zuul-cloner) --workspace cloned https://example.org a/one'))
                self.on(node.name, 'git -C cloned/a/one log -1 --format=%s | grep -qx one')

    def test_their_caches_are_whole_and_their_builder_left_nothing(self) -> None:
        for node in self.each():
            with self.subTest(node.label.name):
                self.on(node.name, '! sudo test -e /root/.bash_history -o -e /root/.cache')
                facts = json.loads(self.on(node.name, 'cat /etc/ci-node-facts.json'))
                # the recipe's list is for all systems, and Debian has Valkey since 13
                self.assertEqual({} if node.label.image == 'debian-trixie' else
                                 {'packages': ['valkey-server: this system has none']}, facts['missing'])
                self.assertIn('get-pip.py', facts['caches']['files']['files'])
                self.assertGreater(facts['bytes']['total'], facts['bytes']['/usr/tox-env'])

    def test_get_pip_is_the_one_that_roles_know(self) -> None:
        listed = (paths.LIBRARY / 'roles/ensure-pip/files/get-pip.sha256').read_text().splitlines()
        for node in self.each():
            with self.subTest(node.label.name):
                digest = self.on(node.name, 'sha256sum /opt/cache/files/get-pip.py').split()[0]
                version = self.on(node.name, 'basename /opt/cache/wheels/pip-*.whl').split('-')[1]
                self.assertIn(f'{digest}  {version}', listed)

    def test_uv_makes_and_fills_an_environment(self) -> None:
        for node in self.each():
            with self.subTest(node.label.name):
                self.on(node.name, f'{UV} venv with-uv')
                self.on(node.name, f'{UV} pip install --offline --no-index --find-links /opt/cache/wheels'
                                   ' -p with-uv/bin/python tox')
                self.on(node.name, 'with-uv/bin/tox --version')

    def test_those_with_a_way_out_reach_an_index_and_a_mirror(self) -> None:
        for name in ('one', 'two', 'four', 'five'):
            with self.subTest(name):
                self.on(name, f'{PIP} -q download --no-deps -d out six')
                self.on(name, 'sudo apt-get -qq update' if name != 'five' else 'sudo dnf -q makecache')

    def test_they_see_each_other(self) -> None:
        self.on('one', f'ping -c 1 -W 2 {self.nodes.addresses["two"].private_address}')
        self.on('two', f'ping -c 1 -W 2 {self.nodes.addresses["one"].private_address}')

    def test_an_offline_one_has_no_way_out(self) -> None:
        self.assertEqual('', self.on('three', 'ip route show default'))
        self.on('three', 'getent hosts deb.debian.org', 2)
        address = self.on('one', 'getent ahostsv4 deb.debian.org').split()[0]
        connect = f"python3 -c 'import socket; socket.create_connection((\"{address}\", 80), 3)'"
        self.on('one', connect)
        self.on('three', connect, 1)
        gateway = self.nodes.addresses['three'].address.rpartition('.')[0] + '.1'
        self.assertNotEqual(0, process.run(self.nodes.ssh_argv(
            self.nodes.addresses['three'], f'sudo ip route add default via {gateway}'), check=False).returncode)
        self.on('three', f'{PIP} -q download six', 1)

    def test_the_stand_in_has_rpm_and_no_dpkg(self) -> None:
        for name in ('five', 'six'):
            with self.subTest(name):
                for program in ('dpkg', 'dpkg-query', 'apt-get', 'apt', 'lsb_release'):
                    self.on(name, f'! command -v {program}')
                self.assertRegex(self.on(name, 'rpm -q gcc make python3-devel tree'), r'^gcc-[\d.]+-1\.el9\.x86_64\n')
                self.assertEqual('', self.on(name, 'rpm -V tree'))
                self.on(name, 'rpm -q hello', 1)
                self.on(name, 'sudo dnf -q -y --setopt=install_weak_deps=False install hello python3-pip')
                self.assertEqual('Hello, world!', self.on(name, 'hello'))
                self.on(name, 'rpm -q hello python3-pip python3-setuptools && python3 -m pip --version')
                self.on(name, 'sudo dnf -q -y install no-such-package', 1)
                self.on(name, 'sudo dnf -q -y remove hello python3-pip')
                self.on(name, 'test ! -e /usr/bin/hello && ! rpm -q hello && ! python3 -m pip --version')
                self.on(name, '! ls -d /usr/lib/python3/dist-packages/setuptools-*')

    def test_bindep_takes_the_stand_in_for_one_of_red_hats(self) -> None:
        wanted = r'tree [platform:rpm]\ntree-like [platform:redhat]\ngcc [platform:rocky-9]\nnever [platform:dpkg]\n'
        for name in ('five', 'six'):
            self.assertEqual('tree-like', self.on(
                name, f"printf '{wanted}' > wanted.txt; /usr/bindep-env/bin/bindep -b -f wanted.txt", 1))

    def test_host_keys_are_those_that_were_given(self) -> None:
        for node in self.each():
            scanned = process.run(('ssh-keyscan', '-t', 'ed25519', node.address)).stdout
            self.assertIn(node.host_key, scanned)


class Lifetime(NodesTest):
    def test_a_start_that_comes_after_the_stop_does_nothing(self) -> None:
        nodes = self.make_nodes()
        nodes.stop()
        late = threading.Thread(target=nodes.start, args=([('late', BOOKWORM)], {}), daemon=True)
        late.start()
        late.join(10)
        self.assertFalse(late.is_alive(), 'it waits for ever')
        self.assertEqual({}, nodes.addresses)

    def test_from_start_to_ssh(self) -> None:
        nodes = self.make_nodes()
        before = set(Path('/var/tmp').iterdir())
        began = time.monotonic()
        nodes.start([('one', BOOKWORM)], self.images)
        nodes.wait(30)
        print(f'node start to ssh: {time.monotonic() - began:.2f} s', file=sys.stderr)
        left = [path for path in set(Path('/var/tmp').iterdir()) - before if path.is_file()
                and nodes.key.with_suffix('.pub').read_bytes() in path.read_bytes()]
        self.assertEqual([], left)
        self.assertEqual(['host', 'host.pub', 'id', 'id.pub', 'known_hosts', 'owner'],
                         sorted(path.name for path in nodes.folder.iterdir()))
        nodes.stop()
        nodes.stop()
        self.assert_gone(nodes.run_id, 0)

    def test_a_death_is_noticed_at_once(self) -> None:
        nodes = self.make_nodes()
        nodes.start([('one', BOOKWORM), ('two', BOOKWORM)], self.images)
        died: list[str] = []
        noticed = threading.Event()

        def on_death(name: str) -> None:
            died.append(name)
            noticed.set()

        nodes.watch(on_death)
        os.kill(nodes.addresses['two'].pid, signal.SIGKILL)
        self.assertTrue(noticed.wait(1))
        nodes.stop()
        time.sleep(0.5)
        self.assertEqual(['two'], died)

    def test_a_node_without_sshd_says_why(self) -> None:
        class Broken(Site):
            def files(self, label: labels.Label) -> list[File]:
                return [('/etc/ssh/sshd_config.d/broken.conf', b'NoSuchOption yes\n', 0o644)]

        nodes = self.make_nodes(Broken())
        nodes.start([('one', BOOKWORM)], self.images)
        with self.assertRaises(UserError) as caught:
            nodes.wait(4)
        self.assertIn('Node one (debian-bookworm) does not let zuul in', caught.exception.message)
        self.assertIn('NoSuchOption', caught.exception.message)

    def test_stopped_while_it_starts(self) -> None:
        for delay in (0.05, 0.2, 0.4):
            with self.subTest(delay):
                nodes = self.make_nodes()
                thread = threading.Thread(target=self.start_quietly, args=(nodes,))
                thread.start()
                time.sleep(delay)
                nodes.stop()
                thread.join()
                self.assert_gone(nodes.run_id, 0)

    def start_quietly(self, nodes: Nodes) -> None:
        with contextlib.suppress(process.ProcessError):     # its containers were taken from under it
            nodes.start([('one', BOOKWORM), ('two', OFFLINE)], self.images)

    def test_a_kept_node_stays_until_it_is_removed(self) -> None:
        nodes = self.make_nodes(keep=True)
        self.addCleanup(shutil.rmtree, nodes.folder, ignore_errors=True)
        self.addCleanup(container.remove_run, self.podman, nodes.run_id)
        nodes.start([('one', BOOKWORM)], self.images)
        nodes.wait(30)
        nodes.stop()
        container.reap(self.podman)
        argv = container.ssh_argv(nodes.folder, nodes.addresses['one'].address, ('hostname',))
        self.assertEqual('one', process.run(argv).stdout.strip())
        name = nodes.addresses['one'].container
        self.assertIn(f'zuul-local node shell {name}', nodes.detach())
        self.assertEqual('one', self.zuul_local('node', 'shell', name, '--', 'hostname'))
        listed = json.loads(self.zuul_local('node', 'list', '--json'))['nodes']
        self.assertEqual([('debian-bookworm', True)], [
            (node['label'], node['kept']) for node in listed if node['container'] == name])

    def zuul_local(self, *words: str) -> str:
        environ = {**os.environ, 'PYTHONPATH': str(paths.LIBRARY)}
        return process.run((sys.executable, '-m', 'zuul_local', *words), env=environ).stdout.strip()


class Killed(NodesTest):
    """Runners that are killed with no chance to clean up."""

    def start(self, keeper_too: bool, until: str) -> tuple[subprocess.Popen[str], str]:
        run_id = os.urandom(4).hex()
        environ = {**os.environ, keeper.MARK: run_id, 'PYTHONPATH': str(paths.LIBRARY)}
        runner = subprocess.Popen([sys.executable, '-c', RUNNER, *(('keeper',) if keeper_too else ())], env=environ,
                                  stdout=subprocess.PIPE, text=True)
        self.addCleanup(runner.communicate)
        self.addCleanup(runner.kill)
        self.addCleanup(container.remove_run, self.podman, run_id)
        assert runner.stdout
        while runner.stdout.readline().strip() not in (until, ''):
            pass
        return runner, run_id

    def test_the_keeper_removes_all_of_it(self) -> None:
        for until, delay in (('up', 0.0), *(('starting', step / 20) for step in range(1, 10, 2))):
            with self.subTest(until=until, delay=delay):
                runner, run_id = self.start(True, until)
                time.sleep(delay)
                runner.kill()
                runner.wait()
                self.assert_gone(run_id)

    def test_without_keeper_the_next_start_removes_it_and_only_it(self) -> None:
        dead, dead_run = self.start(False, 'up')
        alive = self.make_nodes()
        alive.start([('one', BOOKWORM)], self.images)
        name = f'zuul-local-test-{os.urandom(4).hex()}'
        self.podman.run('create', '--name', name, *self.podman.ulimits, self.images[BOOKWORM.name], 'true')
        self.addCleanup(self.podman.run, 'rm', '-f', name)
        self.assertNotIn(dead_run, container.reap(self.podman))
        self.assertTrue(self.left(dead_run))
        dead.kill()
        dead.wait()
        self.assertIn(dead_run, container.reap(self.podman))
        self.assertEqual([], self.left(dead_run))
        state = self.podman.run('inspect', '-f', '{{.State.Status}}', alive.addresses['one'].container)
        self.assertEqual('running', state)
        self.podman.run('inspect', name)

    def test_a_folder_that_nobody_claimed_yet_is_left_alone(self) -> None:
        folder = paths.runs_dir() / os.urandom(4).hex()
        folder.mkdir()
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        container.reap(self.podman)
        self.assertTrue(folder.exists())
        (folder / owner.FILE).write_text('1:1')
        container.reap(self.podman)
        self.assertFalse(folder.exists())
