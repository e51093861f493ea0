#!/usr/bin/env python3
"""Make roots with something else where the facts of a node should be."""
import os
import sys

place = sys.argv[1]
CONTENTS = {
    'huge': b' ' * (5 << 20),
    'no-json': b'{',
    'deep': b'[' * 200000,
    'not-utf-8': b'"\xff"',
    'no-object': b'[1]',
    'control': b'{"\\u001b[31m{{ 7 }}": 1}',
}
for name in ('link', 'linked-folder', 'pipe', 'folder', *CONTENTS):
    folder = os.path.join(place, name, 'etc')
    facts = os.path.join(folder, 'ci-node-facts.json')
    os.makedirs(os.path.join(place, name) if name == 'linked-folder' else folder)
    if name == 'link':
        os.symlink('/etc/ci-node-facts.json', facts)
    elif name == 'linked-folder':
        os.symlink('/etc', folder)
    elif name == 'pipe':
        os.mkfifo(facts)
    elif name == 'folder':
        os.mkdir(facts)
    else:
        with open(facts, 'wb') as file:
            file.write(CONTENTS[name])
