# SPDX-License-Identifier: Apache-2.0
"""What a build is and where it runs, as lines for the log.

Branches, topics and messages are what strangers wrote: each stays within its line, and a terminal does nothing with it.
"""
from __future__ import annotations

import re
from typing import Any, Callable, Dict, Iterable, List, Mapping, Set, Tuple

_LONGEST, _MOST_ITEMS = 300, 50
_CONTROL = re.compile('[\x00-\x1f\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]')
Fields = List[Tuple[str, Any]]


def show(value: Any) -> str:
    """Return a value as it may be shown: what is not for the eye is written out, and what is endless is cut."""
    text = str(value)
    text = text if len(text) <= _LONGEST else text[:_LONGEST] + '[cut]'
    return _CONTROL.sub(lambda found: found[0].encode('unicode_escape').decode('ascii'), text)


def lines(fields: Fields) -> List[str]:
    """Return a line for each field that has a value."""
    return ['%s: %s' % (name, show(value)) for name, value in fields if value not in (None, '')]


def change(item: Mapping[str, Any]) -> str:
    """Return a change as its number and patch set, or what else Zuul builds, with its page."""
    if item.get('change'):
        name = '%s,%s' % (item['change'], item.get('patchset'))
    else:
        name = str(item.get('tag') or item.get('branch') or item.get('ref') or '')
    return ' '.join(filter(None, (name, item.get('change_url'))))


def ahead(zuul: Mapping[str, Any]) -> Fields:
    """Return what a build is tested with: what is ahead of it in its queue, and what it depends on."""
    def key(item: Mapping[str, Any]) -> Tuple[Any, ...]:
        return (item.get('project', {}).get('canonical_name'), item.get('change'), item.get('patchset'),
                item.get('branch'), item.get('tag'))
    own = key(zuul)
    seen: Set[Tuple[Any, ...]] = set()
    found: Fields = []
    for item in [*(zuul.get('items') or []), *(zuul.get('buildset_refs') or [])]:
        if key(item) != own and key(item) not in seen:
            seen.add(key(item))
            found.append(('Tested with', '%s %s' % (item.get('project', {}).get('canonical_name', ''), change(item))))
    more = len(found) - _MOST_ITEMS
    return found[:_MOST_ITEMS] + ([('Tested with', '%d more' % more)] if more > 0 else [])


def about_build(zuul: Mapping[str, Any]) -> Fields:
    """Return what Zuul tells about a build, the important first."""
    executor, attempt = zuul.get('executor') or {}, zuul.get('attempts')
    message = str(zuul.get('change_message') or '').strip().split('\n')[0]
    moved = [str(rev)[:12] for rev in (zuul.get('oldrev'), zuul.get('newrev')) if rev]
    return [
        ('Job', zuul.get('job')),
        ('Voting', None if zuul.get('voting', True) else 'no'),
        ('Attempt', '%s of %s' % (attempt, zuul.get('max_attempts', '?')) if attempt else None),
        ('Tenant', zuul.get('tenant')),
        ('Pipeline', zuul.get('pipeline')),
        ('Project', (zuul.get('project') or {}).get('canonical_name')),
        ('Branch', zuul.get('branch')),
        ('Tag', zuul.get('tag')),
        ('Ref', None if zuul.get('change') else zuul.get('ref')),
        ('Triggered by', change(zuul) if zuul.get('change') else zuul.get('change_url')),
        ('Subject', message),
        ('Topic', zuul.get('topic')),
        ('Commit', zuul.get('commit_id')),
        ('Moved', ' to '.join(moved) if len(moved) > 1 else None),
        *ahead(zuul),
        ('Build', zuul.get('build')),
        ('Buildset', zuul.get('buildset')),
        ('Event ID', zuul.get('event_id')),
        ('Executor', executor.get('hostname')),
        ('Ansible version', zuul.get('ansible_version')),
    ]


def about_node(known: Mapping[str, Any]) -> Fields:
    """Return what the variables of a node tell about it; Ansible may not have looked at it yet."""
    node = known.get('nodepool') or {}
    facts = known.get('ansible_facts') or {}
    system = ' '.join(str(facts.get(name) or '') for name in ('distribution', 'distribution_version', 'architecture'))
    return [
        ('Label', node.get('label')),
        ('Provider', node.get('provider')),
        ('Region', node.get('region')),
        ('Zone', node.get('az')),
        ('Node ID', node.get('external_id')),
        ('Interface IP', node.get('interface_ip') or known.get('ansible_host')),
        ('User', known.get('ansible_user')),
        ('Host name', facts.get('nodename')),
        ('System', system.strip()),
        ('Machine', facts.get('product_name')),
    ]


def header(zuul: Mapping[str, Any], hostvars: Mapping[str, Any], hosts: Iterable[str], logs: str = '') -> str:
    """Return the header of a build.

    :param hosts: names of its nodes, each in *hostvars*.
    :param logs: where its logs will be.
    """
    told = ['# Job', *lines([*about_build(zuul), ('Logs, when it is done', logs)])]
    for host in hosts:
        told += ['', '# Node %s' % show(host), *lines(about_node(hostvars[host]))]
    return '\n'.join(told)


class FilterModule:
    """Ansible asks this class for the filters of the file."""

    def filters(self) -> Dict[str, Callable[..., str]]:
        return {'emit_job_header': header}
