# SPDX-License-Identifier: Apache-2.0
"""What is pushed where, and what is told when that fails."""
from __future__ import annotations

import json
import os
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from tests.unit.roles import library

module: Any = library('upload-git-mirror', 'upload_git_mirror')

KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl'
RSA = 'ssh-rsa AAAAB3NzaC1yc2EAAAABAQ=='


def git(repo: Path, *args: str | bytes) -> str:
    done = subprocess.run(
        ['git', '-c', 'user.name=a', '-c', 'user.email=a@example.com', *args], cwd=repo, check=True,
        capture_output=True, env={**os.environ, 'LC_ALL': 'C'})
    return done.stdout.decode('utf-8', 'surrogateescape').strip()


class TestHost(unittest.TestCase):
    def test_cases(self) -> None:
        for host, expected in (('git.example.com', ('git.example.com', '')), ('h:29418', ('h', '29418')),
                               ('192.0.2.1:22', ('192.0.2.1', '22')), ('[2001:db8::1]', ('[2001:db8::1]', '')),
                               ('[fe80::1%eth0]:22', ('[fe80::1%eth0]', '22')), ('', None), ('-oProxyCommand=x', None),
                               ('a b', None), ('a/b', None), ('h:0', None), ('h:65536', None), ('h:x', None),
                               ('2001:db8::1', None), ('user@h', None), ('h\n', None)):
            with self.subTest(host=host):
                self.assertEqual(module.split_host(host), expected)


class TestKnownHosts(unittest.TestCase):
    def test_lines(self) -> None:
        for text, port, expected in (
                (KEY, '', ['h ' + KEY]),
                (KEY + ' comment', '22', ['h ' + KEY]),
                (KEY, '2222', ['[h]:2222 ' + KEY]),
                (f'# said ssh-keyscan\n\nh,192.0.2.1 {KEY}\r\n|1|abc=|def= {RSA}\n', '', [f'h,192.0.2.1 {KEY}',
                                                                                     f'|1|abc=|def= {RSA}']),
                (f'@cert-authority *.example.com {KEY} x', '', [f'@cert-authority *.example.com {KEY}'])):
            with self.subTest(text=text, port=port):
                self.assertEqual(module.known_hosts(text, 'h', port), expected)
        self.assertEqual(module.known_hosts(KEY, '[2001:db8::1]', ''), ['2001:db8::1 ' + KEY])

    def test_what_is_none(self) -> None:
        for text, said in (('', 'it is empty'), ('# x\n', 'it is empty'), ('h', "'h' is no public key"),
                           ('SHA256:abc', 'no public key'), ('ssh-rsa ' + KEY.split()[1], 'no public key'),
                           ('h ssh-ed25519 AAAA*', 'no public key'), ('h ssh-dss2 ' + KEY.split()[1], 'no public key'),
                           ('-----BEGIN OPENSSH PRIVATE KEY-----\n' + 'x' * 100, 'no public key'),
                           (KEY + '\nx' * 2, "'x' is no public key")):
            with self.subTest(text=text), self.assertRaisesRegex(ValueError, said):
                module.known_hosts(text, 'h', '')


class TestCommand(unittest.TestCase):
    def test_one_server_one_key_no_questions(self) -> None:
        argv = shlex.split(module.ssh_command('/work root/x', '2222'))
        self.assertEqual(argv[:3], ['ssh', '-F', '/dev/null'])
        for option in ('StrictHostKeyChecking=yes', 'IdentityAgent=none', 'IdentitiesOnly=yes', 'BatchMode=yes',
                       'UserKnownHostsFile="/work root/x/known_hosts"', 'GlobalKnownHostsFile=/dev/null'):
            self.assertEqual(argv[argv.index(option) - 1], '-o')
        self.assertEqual((argv[argv.index('-i') + 1], argv[-2:]), ('/work root/x/key', ['-p', '2222']))
        self.assertNotIn('-p', shlex.split(module.ssh_command('/x', '')))

    def test_the_executors_agent_and_settings_stay_out(self) -> None:
        with mock.patch.dict(os.environ, SSH_AUTH_SOCK='/x', GIT_SSH_COMMAND='x', GIT_DIR='x', HOME='/h'):
            given = module.environment('y')
        self.assertEqual([given[name] for name in ('GIT_SSH_COMMAND', 'GIT_CONFIG_GLOBAL', 'HOME')],
                         ['y', '/dev/null', '/h'])
        self.assertFalse({'SSH_AUTH_SOCK', 'GIT_DIR'} & set(given))


class TestParse(unittest.TestCase):
    def test_push(self) -> None:
        output = ('To ssh://x\n=\trefs/heads/a:refs/heads/a\t[up to date]\n \trefs/heads/b:refs/heads/b\t1..2\n'
                  '+\trefs/heads/c:refs/heads/c\t1...2 (forced update)\n*\trefs/tags/d:refs/tags/d\t[new tag]\n'
                  '-\t:refs/heads/e\t[deleted]\n!\trefs/heads/f:refs/heads/f\t[remote rejected] (protected)\nDone\n')
        self.assertEqual(module.parse_push(output), (
            ['refs/heads/b: moved on, 1..2', 'refs/heads/c: overwritten, 1...2 (forced update)',
             'refs/tags/d: new, [new tag]', 'refs/heads/e: removed, [deleted]'],
            1, ['refs/heads/f: [remote rejected] (protected)']))

    def test_names_are_shown_and_not_obeyed(self) -> None:
        for name in ('lat\udce9n', 'ü', 'a\x1bb'):
            line = f'*\trefs/heads/{name}:refs/heads/{name}\t[new branch]'
            self.assertTrue(module.parse_push(line)[0][0].isprintable())


class TestFailure(unittest.TestCase):
    CASES = (
        ('Host key verification failed.\r\nfatal: Could not read from remote repository.', 'host_key. Ask who runs it'),
        ('No ED25519 host key is known for h and you have requested strict checking.', 'host_key. Ask who runs it'),
        ('git@h: Permission denied (publickey).', 'Its public half is MARK'),
        ('ERROR: Permission to a/b.git denied to deploy key', 'Its public half is MARK'),
        ('ssh: Could not resolve hostname h: Name or service not known', 'cannot be reached'),
        ('ssh: connect to host h port 22: Connection refused', 'cannot be reached'),
        ('ssh: connect to host h port 22: Connection timed out', 'cannot be reached'),
        ("fatal: 'x' does not appear to be a git repository", 'Make it there first'),
        ('ERROR: Repository not found.', 'Make it there first'),
        ('remote: fatal: shallow update not allowed', 'not whole'),
    )

    def test_each_has_a_remedy(self) -> None:
        for said, remedy in self.CASES:
            with self.subTest(said):
                told = module.failure(said, [], {'fingerprint': 'MARK'})
                self.assertIn(remedy, told)
                self.assertIn(said.splitlines()[0].strip(), told)

    def test_what_is_refused_is_listed(self) -> None:
        told = module.failure('error: failed to push some refs', ['refs/heads/f: [remote rejected] (protected)'], {})
        self.assertIn('  - the server refuses refs/heads/f: [remote rejected] (protected)', told)
        self.assertIn('Let the key make, overwrite and remove', told)
        self.assertNotIn('failed to push', told)

    def test_nothing_of_the_secret_is_told(self) -> None:
        credentials = {'host': 'git.example.com:22', 'user': 'deploy'}
        self.assertEqual(module.without('deploy@git.example.com: Permission denied', credentials),
                         '(user)@(host): Permission denied')


class UploadTest(unittest.TestCase):
    """With real git and a script in place of ssh, which does what sshd would with the command."""

    def setUp(self) -> None:
        self.root = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        self.work = self.root / 'work'
        self.source = self.work / 'src' / 'a'
        self.source.mkdir(parents=True)
        git(self.source, 'init', '-q', '-b', 'main')
        for number in range(2):
            git(self.source, 'commit', '-q', '--allow-empty', '-m', str(number))
        git(self.source, 'tag', '-a', '-m', 'one', 'v1')
        git(self.source, 'branch', b"lat\xe9n/$(touch${IFS}x)'")
        git(self.source, 'update-ref', 'refs/zuul/1', 'HEAD')
        git(self.source, 'update-ref', 'refs/remotes/origin/main', 'HEAD')
        self.mirror = self.root / 'mirror.git'
        git(self.root, 'init', '-q', '--bare', str(self.mirror))
        subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', str(self.root / 'key')], check=True)
        self.saw = self.root / 'saw'
        self.saw.mkdir()
        path = self.root / 'bin'
        path.mkdir()
        (path / 'ssh').write_text(f'''#!/bin/sh
printf '%s\\n' "$@" > {self.saw}/args
for word; do
  case $previous in -i) cat "$word" > {self.saw}/key; stat -c %a "$word" "${{word%/*}}" > {self.saw}/modes;; esac
  previous=$word
done
env > {self.saw}/env
test -z "$REFUSE" || {{ echo "$REFUSE" >&2; exit 255; }}
exec sh -c "$previous"
''')
        (path / 'ssh').chmod(0o755)
        patched = mock.patch.dict(os.environ, PATH=f'{path}:{os.environ["PATH"]}')
        patched.start()
        self.addCleanup(patched.stop)

    def upload(self, **other: Any) -> dict[str, Any]:
        credentials = {'user': 'git', 'host': 'git.example.com', 'ssh_key': (self.root / 'key').read_text(),
                       'host_key': KEY, **other.pop('credentials', {})}
        result: dict[str, Any] = module.upload({
            'source': str(self.source), 'work_root': str(self.work), 'repository': str(self.mirror),
            'credentials': credentials, **other})
        return result

    def refs(self, repo: Path) -> str:
        return git(repo, 'for-each-ref', 'refs/heads', 'refs/tags')

    def tearDown(self) -> None:
        self.assertEqual(os.listdir(self.work), ['src'], 'something was left behind')


class TestUpload(UploadTest):
    def test_branches_and_tags_and_nothing_else(self) -> None:
        result = self.upload()
        self.assertEqual(git(self.mirror, 'for-each-ref'), self.refs(self.source))
        self.assertEqual((result['changed'], len(result['pushed']), result['same']), (True, 3, 0))
        self.assertIn("'" + str(self.mirror) + "'", (self.saw / 'args').read_text())
        self.assertIn('git@git.example.com', (self.saw / 'args').read_text().splitlines())

    def test_the_key_is_private_and_short_lived(self) -> None:
        text = (self.root / 'key').read_text()
        for given in (text, text.rstrip('\n'), text.replace('\n', '\r\n'), '\n  ' + text.replace('\n', '\n  ')):
            self.upload(credentials={'ssh_key': given})
            self.assertEqual((self.saw / 'key').read_text(), text)
            self.assertEqual((self.saw / 'modes').read_text().split(), ['600', '700'])

    def test_the_second_time_nothing_changes(self) -> None:
        self.upload()
        result = self.upload()
        self.assertEqual((result['changed'], result['pushed'], result['same']), (False, [], 3))

    def test_a_mirror_that_went_its_own_way(self) -> None:
        self.upload()
        clone = self.root / 'clone'
        git(self.root, 'clone', '-q', str(self.mirror), str(clone))
        git(clone, 'checkout', '-q', '-B', 'main', 'origin/main~1')
        git(clone, 'commit', '-q', '--allow-empty', '-m', 'other')
        git(clone, 'branch', 'other')
        git(clone, 'push', '-q', '--force', 'origin', 'main', 'other')
        git(clone, 'push', '-q', 'origin', 'main:refs/pull/1/head')
        result = self.upload()
        self.assertEqual(self.refs(self.mirror), self.refs(self.source))
        self.assertIn('refs/pull/1/head', git(self.mirror, 'for-each-ref'))
        self.assertEqual(sorted(line.split(',')[0] for line in result['pushed']),
                         ['refs/heads/main: overwritten', 'refs/heads/other: removed'])

    def test_a_server_that_refuses_a_branch(self) -> None:
        self.upload()
        git(self.mirror, 'config', 'receive.denyNonFastForwards', 'true')
        git(self.source, 'commit', '-q', '--amend', '--allow-empty', '-m', 'rewritten')
        git(self.source, 'tag', 'v2')
        with self.assertRaisesRegex(module.Refused, r'the server refuses refs/heads/main: .*non-fast-forward'):
            self.upload()
        self.assertIn('refs/tags/v2', self.refs(self.mirror))

    def test_no_server(self) -> None:
        with (mock.patch.dict(os.environ, REFUSE='ssh: Could not resolve hostname git.example.com: x'),
              self.assertRaisesRegex(module.Refused, r'resolve hostname \(host\): x[^$]*cannot be reached')):
            self.upload()

    def test_what_the_repository_says_of_itself_does_not_count(self) -> None:
        for name, value in ((f'url.{self.root}/other.pushInsteadOf', f'git@git.example.com:{self.mirror}'),
                            ('core.sshCommand', f'touch {self.root}/ran'), ('push.followTags', 'x'),
                            ('core.hooksPath', str(self.root / 'hooks'))):
            git(self.source, 'config', name, value)
        for hooks in (self.root / 'hooks', self.source / '.git' / 'hooks'):
            hooks.mkdir(exist_ok=True)
            (hooks / 'pre-push').write_text(f'#!/bin/sh\ntouch {self.root}/ran\n')
            (hooks / 'pre-push').chmod(0o755)
        self.upload()
        self.assertFalse((self.root / 'ran').exists())
        self.assertEqual(self.refs(self.mirror), self.refs(self.source))


class TestRefused(UploadTest):
    def test_all_problems_in_one_message(self) -> None:
        with self.assertRaises(module.Refused) as caught:
            self.upload(repository='ssh://x/y', source=str(self.work / 'b'),
                        credentials={'user': '-x', 'host': '-oProxyCommand=x', 'ssh_key': 'SESAME', 'host_key': ''})
        said = str(caught.exception)
        for part in ('6 problems', "git_mirror_repository is 'ssh://x/y'", 'credentials.user is no name',
                     'credentials.host is no server', 'credentials.host_key: it is empty', 'ssh_key is no private key',
                     "there is no git repository at '"):
            self.assertIn(part, said)
        self.assertNotIn('SESAME', said)

    def test_paths(self) -> None:
        for repository in ('', '-x', 'a\nb', 'git@github.com:a/b', 'a\0'):
            with self.subTest(repository), self.assertRaisesRegex(module.Refused, '1 problem:\n  - git_mirror_rep'):
                self.upload(repository=repository)

    def test_keys_that_cannot_be_used(self) -> None:
        subprocess.run(['ssh-keygen', '-q', '-p', '-P', '', '-N', 'secret', '-f', str(self.root / 'key')], check=True,
                       stdout=subprocess.DEVNULL)
        locked = (self.root / 'key').read_text()
        for key in (locked, locked[:150], '-----BEGIN RSA PRIVATE KEY-----\nSESAME\n-----END RSA PRIVATE KEY-----'):
            with self.subTest(key[:20]), self.assertRaisesRegex(module.Refused, 'without passphrase') as caught:
                self.upload(credentials={'ssh_key': key})
            for part in ('SESAME', 'BEGIN', *locked.splitlines()[1:-1]):
                self.assertNotIn(part, str(caught.exception))

    def test_repositories_that_are_not_the_builds(self) -> None:
        other = self.root / 'private'
        shutil.copytree(self.source, other)
        objects = self.source / '.git' / 'objects'
        kept = self.root / 'kept'
        shutil.copytree(self.source, kept, symlinks=True)

        def repository() -> None:
            shutil.rmtree(self.source / '.git')
            (self.source / '.git').symlink_to(other / '.git')

        def folder() -> None:
            shutil.rmtree(objects)
            objects.symlink_to(other / '.git' / 'objects')

        cases = ((repository, 'has links'), (folder, 'has links'),
                 (lambda: (objects / 'aa').symlink_to('/'), 'has links'),
                 (lambda: (objects / 'pack' / 'pack-1.pack').symlink_to('/etc/passwd'), 'has links'),
                 (lambda: (objects / 'info' / 'alternates').write_text(str(other)), 'borrows'),
                 (lambda: (self.source / '.git' / 'shallow').touch(), 'is shallow'),
                 (lambda: [git(self.source, 'update-ref', '-d', name.split()[2])
                           for name in git(self.source, 'for-each-ref', 'refs/heads').splitlines()], 'has no branch'))
        for spoil, said in cases:
            with self.subTest(said=said):
                spoil()
                with self.assertRaisesRegex(module.Refused, said):
                    self.upload()
                self.assertEqual(os.listdir(self.saw), [])
                shutil.rmtree(self.source)
                shutil.copytree(kept, self.source, symlinks=True)


class TestMain(UploadTest):
    def test_a_signal_leaves_nothing(self) -> None:
        (self.root / 'bin' / 'ssh').write_text(f'#!/bin/sh\ntouch {self.saw}/ssh\nexec sleep 60\n')
        program = (f'import sys; sys.path.insert(0, {str(Path(module.__file__).parent)!r}); import json, signal\n'
                   'import upload_git_mirror as m\nsignal.signal(signal.SIGTERM, m._leave)\n'
                   'm.upload(json.load(sys.stdin))\n')
        process = subprocess.Popen([sys.executable, '-c', program], stdin=subprocess.PIPE, text=True)
        assert process.stdin
        json.dump({'source': str(self.source), 'work_root': str(self.work), 'repository': 'a', 'credentials': {
            'user': 'git', 'host': 'h', 'ssh_key': (self.root / 'key').read_text(), 'host_key': KEY}}, process.stdin)
        process.stdin.close()
        deadline = time.monotonic() + 20
        while not (self.saw / 'ssh').exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        mode = stat.S_IMODE(next(self.work.glob('.git-mirror-*')).stat().st_mode)
        process.terminate()
        self.assertEqual((process.wait(20), mode), (143, 0o700))
