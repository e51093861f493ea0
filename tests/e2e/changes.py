"""Changes as a developer makes them: a clone, commits, reviews."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.e2e.rest import GerritClient
from zuul_local import process

POLL = 0.3              # seconds between two looks at a change
AUTHOR = ('-c', 'user.name=Dev', '-c', 'user.email=dev@example.org')


def git(folder: Path, *words: str) -> str:
    """Return what git prints."""
    return process.run(('git', '-C', str(folder), *AUTHOR, *words)).stdout.strip()


class Clone:
    """A clone of a project, from which *client*'s account pushes."""

    def __init__(self, client: GerritClient, project: str, folder: Path) -> None:
        self.client = client
        self.project = project
        self.folder = folder
        scheme, host = client.url.split('://')
        url = f'{scheme}://{client.user}:{client.password}@{host}/a/{project}'
        process.run(('git', 'clone', '-q', url, str(folder)))

    @property
    def branch(self) -> str:
        """The branch of the project."""
        return git(self.folder, 'symbolic-ref', '--short', 'refs/remotes/origin/HEAD').removeprefix('origin/')

    def write(self, files: Mapping[str, str]) -> None:
        """Write *files* and stage them."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        git(self.folder, 'add', '--all')

    def propose(self, subject: str, files: Mapping[str, str]) -> Change:
        """Push a new change on top of the branch."""
        git(self.folder, 'fetch', '-q', 'origin')
        git(self.folder, 'checkout', '-q', '--force', '--detach', f'origin/{self.branch}')
        self.write(files)
        git(self.folder, 'commit', '-q', '-m', f'{subject}\n\nChange-Id: I{secrets.token_hex(20)}')
        return Change(self.client, self.project, self._push())

    def amend(self, files: Mapping[str, str]) -> None:
        """Push what was proposed last as a new patch set, with *files* changed."""
        self.write(files)
        git(self.folder, 'commit', '-q', '--amend', '--no-edit')
        self._push()

    def _push(self) -> int:
        done = process.run(('git', '-C', str(self.folder), 'push', 'origin', f'HEAD:refs/for/{self.branch}'))
        found = re.search(r'/\+/(\d+)', done.stderr)
        if not found:
            raise AssertionError(f'Gerrit names no change:\n{done.stderr}')
        return int(found[1])


@dataclass(frozen=True)
class Change:
    """A change, as *client*'s account sees it."""

    client: GerritClient
    project: str
    number: int

    @property
    def path(self) -> str:
        return f'changes/{quote(self.project, safe="")}~{self.number}'

    def detail(self) -> dict[str, Any]:
        """Return all that Gerrit tells of it."""
        return dict(self.client.call('GET', f'{self.path}/detail'))

    def vote(self, label: str, user: str) -> int:
        """Return the vote of *user* on the current patch set."""
        votes = self.detail()['labels'].get(label, {}).get('all', [])
        return next((int(vote.get('value', 0)) for vote in votes if vote['username'] == user), 0)

    def said(self, user: str) -> list[str]:
        """Return the messages of *user*, the first one first."""
        return [entry['message'] for entry in self.detail()['messages']
                if entry.get('author', {}).get('username') == user]

    def review(self, message: str = '', **votes: int) -> None:
        """Comment and vote."""
        labels = {name.replace('_', '-'): value for name, value in votes.items()}
        self.client.call('POST', f'{self.path}/revisions/current/review', {'message': message, 'labels': labels})

    def wait_for(self, seen: Callable[[Change], Any], seconds: float) -> Any:
        """Return what *seen* returns once that is something.

        :raises AssertionError: it still is nothing after *seconds*.
        """
        return wait_for(lambda: seen(self), seconds, lambda: '\n'.join(
            f'[{entry["date"]}] {entry["message"]}' for entry in self.detail()['messages']))


def wait_for(look: Callable[[], Any], seconds: float, tell: Callable[[], str] = str) -> Any:
    """Return what *look* returns once that is something.

    :param tell: says how things are when it never was.
    :raises AssertionError: it still is nothing after *seconds*.
    """
    end = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > end:
            raise AssertionError(f'It did not happen in {seconds:g} s.\n{tell()}')
        time.sleep(POLL)
    return found
