#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Merge the records of what provided the tools of a job into one file for programs and one page for people."""
from __future__ import annotations

DOCUMENTATION = r"""
module: merge_provision_reports
short_description: Merge the records of provisioned tools
description:
  - Reads C(provision/*.json) and C(<node>/provision/*.json) below a folder of logs, written by nodes, and writes
    C(provision.json) and C(provision.html) there.
  - What is no such record, or too large, is left out and told. Nothing that a node wrote makes this fail.
options:
  folder: {description: Folder of the logs., type: path, required: true}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
"""
EXAMPLES = r"""
- name: Merge what the nodes recorded
  merge_provision_reports:
    folder: "{{ zuul.executor.log_root }}"
"""
RETURN = r"""
tools: {description: Number of records that were merged., type: int, returned: success}
lines: {description: What came from where, for the log., type: list, elements: str, returned: success}
"""

import html
import json
import os
import re
import stat
from typing import Any, Iterator, NamedTuple

FOLDER = 'provision'
MAX_FILES, MAX_BYTES, MAX_TEXT = 200, 256 * 1024, 2000
SOURCES = ('image', 'cache', 'index', 'none', 'undecided')
#: what a record has, by type; everything else in it is dropped
TEXTS = ('name', 'package', 'version', 'request', 'role', 'python', 'path', 'installer', 'where', 'digest', 'why')
FLAGS = ('locked', 'changed', 'cache')
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Provision report</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<style>body{{font:16px/1.5 sans-serif;margin:1em auto;max-width:75em;padding:0 1em}}
h1{{font-size:1.5em}}div{{overflow-x:auto}}table{{border-collapse:collapse}}
td,th{{text-align:left;padding:.2em 1em .2em 0;vertical-align:top;white-space:nowrap}}td.n{{text-align:right}}
td.r{{white-space:normal;overflow-wrap:anywhere;min-width:16em}}</style></head><body>
<h1>Where the tools of this build came from</h1>
<p>{summary} From the image: there already. From the cache: installed from the wheels that the image carries. From the
index: fetched from the site's package index. Locked: with the hashes that the library knows.</p>
<div role="region" aria-label="Tools" tabindex="0"><table><thead>
<tr><th>Node</th><th>Tool</th><th>Version</th><th>Asked for</th><th>Source</th><th>Hashes</th>
<th>Seconds</th><th>Remarks</th></tr></thead>
<tbody>
{rows}
</tbody></table></div>
</body></html>
"""
ROW = ('<tr><td>{node}</td><td>{name}</td><td>{version}</td><td>{request}</td><td>{source}</td><td>{hashes}</td>'
       '<td class="n">{seconds}</td><td class="r">{remarks}</td></tr>')


class Found(NamedTuple):
    """A file that may be a record: the *node* it is of, its *name* below the logs, and its open descriptor."""

    node: str
    name: str
    descriptor: int


def records(folder: str) -> Iterator[Found]:
    """Open the files that may be records, never through a link, in the order of their names."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    nodes = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False))
    for node in ['', *nodes]:
        path = os.path.join(folder, node, FOLDER)
        try:
            below = os.open(path, flags | os.O_DIRECTORY)
        except OSError:
            continue
        try:
            for name in sorted(os.listdir(below)):
                try:
                    descriptor = os.open(name, flags, dir_fd=below) if name.endswith('.json') else -1
                except OSError:
                    continue   # a link, or gone
                if descriptor < 0:
                    continue
                if stat.S_ISREG(os.fstat(descriptor).st_mode):
                    yield Found(node, os.path.join(node, FOLDER, name), descriptor)
                else:
                    os.close(descriptor)
        finally:
            os.close(below)


def text(value: Any) -> str:
    """A text that a node wrote, as it may be shown: short, and without control characters."""
    return re.sub(r'[\x00-\x08\x0b-\x1f\x7f-\x9f]', '\N{REPLACEMENT CHARACTER}', str(value))[:MAX_TEXT]


def record(data: bytes) -> dict[str, Any]:
    """What a record says, checked. Raises ValueError with the reason where it is none."""
    if len(data) > MAX_BYTES:
        raise ValueError(f'larger than {MAX_BYTES} bytes')
    try:
        read = json.loads(data.decode('utf-8'))
    except (ValueError, RecursionError):
        raise ValueError('not JSON') from None
    if not isinstance(read, dict) or not isinstance(read.get('name'), str) or read.get('source') not in SOURCES:
        raise ValueError('no record of a tool')
    checked: dict[str, Any] = {key: text(read[key]) for key in TEXTS if isinstance(read.get(key), str)}
    checked.update((key, read[key]) for key in FLAGS if isinstance(read.get(key), bool))
    seconds = read.get('seconds')
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds < 1e6:
        seconds = 0
    checked['seconds'] = float(seconds)
    checked['source'] = read['source']
    places = read.get('passed_over')
    checked['passed_over'] = [{key: text(place.get(key, '')) for key in ('source', 'where', 'why')}
                              for place in (places if isinstance(places, list) else [])[:20] if isinstance(place, dict)]
    return checked


def remarks(tool: dict[str, Any]) -> list[str]:
    """What a reader should know of a tool beside where it came from."""
    found = []
    if tool['source'] == 'none':
        found.append('failed: ' + tool.get('why', ''))
    if tool['source'] == 'index' and tool.get('cache'):
        why = [place['why'] for place in tool['passed_over'] if place['source'] == 'cache']
        found.append('from the index although the image has a cache: ' + ('; '.join(why) or 'no reason was recorded'))
    if tool['source'] in ('cache', 'index') and tool.get('locked') is False:
        found.append('not in the lock, installed without hashes')
    if tool['source'] != 'none':
        found += [f"passed over {place['where']}: {place['why']}" for place in tool['passed_over']
                  if place['source'] == 'image' and place['where']]
    return found


def line(tool: dict[str, Any]) -> str:
    """A tool in a line of the log."""
    node = f"{tool['node']}: " if tool['node'] else ''
    return (f"{node}{tool['name']} {tool.get('version') or '-'} from {tool['source']} in {tool['seconds']:.1f} s"
            + ''.join(f'; {remark}' for remark in remarks(tool)[:1]))


def page(tools: list[dict[str, Any]]) -> str:
    """The page for people."""
    rows = []
    for tool in tools:
        cells = {'node': tool['node'] or '-', 'name': tool['name'], 'version': tool.get('version') or '-',
                 'request': tool.get('request') or 'any', 'source': tool['source'],
                 'hashes': 'locked' if tool.get('locked') else 'not locked', 'seconds': f"{tool['seconds']:.1f}"}
        told = '<br>'.join(html.escape(remark) for remark in remarks(tool))
        rows.append(ROW.format(remarks=told, **{key: html.escape(value) for key, value in cells.items()}))
    counted = ', '.join(f"{sum(tool['source'] == source for tool in tools)} from {source}" for source in SOURCES
                        if any(tool['source'] == source for tool in tools))
    number = f"{len(tools)} {'tool' if len(tools) == 1 else 'tools'}"
    return PAGE.format(summary=html.escape(f'{number}: {counted}.'), rows='\n'.join(rows))


def merge(folder: str, check_mode: bool) -> dict[str, Any]:
    """Read, merge, write; return the task's result. Raises OSError where the folder cannot be written."""
    tools: list[dict[str, Any]] = []
    left_out: list[str] = []
    for found in records(folder):
        with open(found.descriptor, 'rb') as stream:
            if len(tools) + len(left_out) >= MAX_FILES:
                left_out.append(f'{text(found.name)}: one of more than {MAX_FILES} files')
                break
            try:
                tools.append({'node': text(found.node), **record(stream.read(MAX_BYTES + 1))})
            except (ValueError, OSError) as error:
                left_out.append(f'{text(found.name)}: {error}')
    if tools and not check_mode:
        write(folder, 'provision.json', json.dumps({'tools': tools}, indent=1, sort_keys=True) + '\n')
        write(folder, 'provision.html', page(tools))
    lines = [line(tool) for tool in tools] + [f'left out {one}' for one in left_out]
    return {'changed': bool(tools), 'tools': len(tools), 'lines': [text(one) for one in lines[:50]]}


def write(folder: str, name: str, content: str) -> None:
    """Write a file anew; a node may have laid down a link or a folder of its name."""
    temporary = os.path.join(folder, f'.{name}.{os.getpid()}')
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    with open(descriptor, 'w', encoding='utf-8') as stream:
        stream.write(content)
    os.replace(temporary, os.path.join(folder, name))


def main() -> None:
    from ansible.module_utils.basic import AnsibleModule
    module = AnsibleModule(argument_spec={'folder': {'type': 'path', 'required': True}}, supports_check_mode=True)
    try:
        module.exit_json(**merge(module.params['folder'], module.check_mode))
    except OSError as error:
        # logs that cannot be written are no reason to fail a build that passed
        module.exit_json(changed=False, tools=0, lines=[f'no provision report: {error}'])


if __name__ == '__main__':
    main()
