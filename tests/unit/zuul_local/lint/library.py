"""A small library without a fault, to be spoilt by tests."""

from __future__ import annotations

import contextlib
import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

FILES = {
    'roles/do-thing/README.rst': '''
        Does a thing on the node.

        Example
        -------

        .. code-block:: yaml

           - role: do-thing

        Variables
        ---------

        .. zuul:rolevar:: do_thing_name
           :type: str
           :default: {{ zuul.project.name }}

           The thing.

        .. zuul:rolevar:: do_thing_often
           :type: int
           :default: 3

           How often.

        .. zuul:rolevar:: do_thing_packages
           :type: list

           What the platform wants.

           .. zuul:rolevar:: member

              Of a package.

        .. zuul:rolevar:: do_thing_suffix
           :default: ''

        .. zuul:rolevar:: do_thing_token
           :type: str

           Needed.

        Differences to zuul-jobs
        ------------------------

        None.
    ''',
    'roles/do-thing/defaults/main.yaml': '''
        do_thing_name: "{{ zuul.project.name }}"
        do_thing_often: 3
        do_thing_packages: "{{ __do_thing_packages }}"
        do_thing_suffix: ''
    ''',
    'roles/do-thing/meta/argument_specs.yaml': '''
        argument_specs:
          main:
            options:
              do_thing_name: {type: str, default: "{{ zuul.project.name }}", description: The thing.}
              do_thing_often: {type: int, default: 3, description: How often.}
              do_thing_packages: {type: list, default: "{{ __do_thing_packages }}", description: Packages.}
              do_thing_suffix: {type: str, default: '', description: Behind it.}
              do_thing_token: {type: str, required: true, description: Needed.}
    ''',
    'roles/do-thing/meta/main.yaml': '''
        galaxy_info:
          platforms:
            - {name: Debian, versions: [bookworm]}
    ''',
    'roles/do-thing/tasks/main.yaml': '''
        - name: Do it
          ansible.builtin.debug:
    ''',
    'playbooks/thing/run.yaml': '''
        - hosts: all
          tasks:
            - include_role: {name: do-thing}
              when: thing_wanted | default(true)
    ''',
    'test-playbooks/do-thing/absent.yaml': '''
        - hosts: all
          tasks:
            - block:
                - ansible.builtin.include_role:
                    name: do-thing
                - name: Do it again, in vain
                  ansible.builtin.include_role:
                    name: do-thing
    ''',
    'test-playbooks/do-thing/not-applicable.yaml': '''
        present: The thing is never there before.
        bad-input: It takes what it is given.
    ''',
    'roles/do-more/README.rst': '''
        Does more.

        .. code-block:: yaml

           - role: do-more

        **Differences to zuul-jobs**: none.
    ''',
    'roles/do-more/meta/argument_specs.yaml': 'argument_specs: {main: {options: {}}}',
    'roles/do-more/meta/main.yaml': '''
        galaxy_info:
          platforms:
            - {name: Debian, versions: [bookworm]}
    ''',
    'roles/do-more/tasks/main.yaml': '''
        - name: Do the first half
          ansible.builtin.include_role:
            name: do-thing
        - name: Fetch the other half
          ansible.builtin.get_url: {url: "https://example.org/half", dest: /tmp/half}
    ''',
    'test-playbooks/do-more/absent.yaml': '- {hosts: all, roles: [do-more]}',
    'test-playbooks/do-more/present.yaml': '''
        - hosts: all
          tasks:
            - name: Do more again
              ansible.builtin.include_role: {name: do-more}
    ''',
    'test-playbooks/do-more/bad-input.yaml': '''
        - hosts: all
          tasks:
            - ansible.builtin.copy: {src: files/x}
            - ansible.builtin.include_tasks: tasks/refused.yaml
    ''',
    'test-playbooks/do-more/tasks/refused.yaml': '''
        - ansible.builtin.copy: {src: ../files/x}
        - ansible.builtin.import_role: {name: do-more}
    ''',
    'test-playbooks/do-more/offline.yaml': '- {hosts: all, roles: [do-more]}',
    'node/labels.yaml': '''
        - {name: bookworm, kind: real, platform: Debian, release: bookworm}
        - {name: stand-in, kind: contract, platform: EL, release: '9'}
    ''',
    'zuul.d/jobs.yaml': '''
        - job:
            name: self-test-things
            run:
              - test-playbooks/do-thing/absent.yaml
              - test-playbooks/do-more/absent.yaml
              - test-playbooks/do-more/present.yaml
              - test-playbooks/do-more/bad-input.yaml
        - job:
            name: thing
            run: playbooks/thing/run.yaml
            vars: {do_thing_often: 4, thing_wanted: false}
            secrets: [{name: s, secret: t}]
        - secret: {name: t, data: {key: !encrypted/pkcs1-oaep [abc]}}
        - project-template: {name: things}
    ''',
    'zuul-tests.d/roles.yaml': '''
        - nodeset:
            name: all-labels
            nodes: [{name: one, label: bookworm}, {name: two, label: stand-in}]
        - nodeset:
            name: all-offline
            nodes: [{name: one, label: bookworm-offline}, {name: two, label: stand-in-offline}]
        - job:
            name: self-test-do-thing
            files: [^roles/do-thing/, ^test-playbooks/do-thing/]
            nodeset: all-labels
            run: [{name: test-playbooks/do-thing/absent.yaml}]
        - job:
            name: self-test-do-more
            files: &files [^roles/do-more/, ^roles/do-thing/, ^test-playbooks/do-more/]
            nodeset: all-labels
            run:
              - test-playbooks/do-more/absent.yaml
              - test-playbooks/do-more/present.yaml
              - test-playbooks/do-more/bad-input.yaml
        - job:
            name: self-test-do-more-offline
            files: *files
            nodeset: all-offline
            run: test-playbooks/do-more/offline.yaml
        - project:
            check:
              jobs:
                - self-test-do-thing
                - self-test-do-more: {voting: false}
            gate:
              jobs: [self-test-do-more-offline]
    ''',
    'doc/source/reference/roles.rst': '''
        .. zuul:autorole:: do-thing
        .. zuul:autorole:: do-more
    ''',
    'doc/source/reference/jobs.rst': '''
        .. zuul:autojob:: thing
        .. zuul:autojob:: self-test-things
    ''',
    'doc/source/reference/templates.rst': '''
        .. zuul:autoproject_template:: things
    ''',
}


@contextlib.contextmanager
def library(spoilt: Mapping[str, tuple[str, str] | str | None]) -> Iterator[Path]:
    """Write the library with *spoilt* files: a text replaced by another, a new file, or one (None) that is gone."""
    with tempfile.TemporaryDirectory() as folder:
        for name in {**FILES, **spoilt}:
            text = textwrap.dedent(FILES.get(name, '')).lstrip('\n')
            change = spoilt.get(name, ('', ''))
            if change is None:
                continue
            if isinstance(change, str):
                text = change
            elif change[0] not in text:
                raise AssertionError(f'{name} does not have {change[0]!r}')
            else:
                text = text.replace(*change) if change[0] else text
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        yield Path(folder)
