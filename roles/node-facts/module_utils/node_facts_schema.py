# SPDX-License-Identifier: Apache-2.0
"""Whether a value is as a JSON schema wants it."""
from __future__ import annotations

import json
import re
from typing import Any, Iterator, Mapping

from ansible.module_utils.node_facts_tree import printable, told


def misfits(value: Any, schema: Mapping[str, Any], whole: Mapping[str, Any], where: str = '') -> Iterator[str]:
    """Tell where *value* is not as *schema* wants it. Knows the words of JSON schema that our schema has.

    :raises ValueError: the schema has another word, and would pass for less than it says.
    """
    at = where or 'the whole'
    types = {'object': dict, 'array': list, 'string': str, 'integer': int}
    if '$ref' in schema:
        schema = dict(whole['$defs'][schema['$ref'][len('#/$defs/'):]],
                      **{key: rule for key, rule in schema.items() if key != '$ref'})
    kind = schema.get('type')
    if kind and (not isinstance(value, types[kind]) or isinstance(value, bool)):
        yield '%s is %s; right is: %s' % (at, told(value), kind)
        return
    for key, rule in schema.items():
        if key in ('type', 'title', 'description', '$schema', '$defs'):
            continue
        if key == 'const':
            good = value == rule and not isinstance(value, bool)
        elif key == 'enum':
            good = value in rule
        elif key == 'pattern':
            good = not isinstance(value, str) or re.search(rule.replace('$', r'\Z'), value) is not None
        elif key in ('minLength', 'minItems', 'minProperties'):
            good = len(value) >= rule
        elif key == 'minimum':
            good = value >= rule
        elif key == 'uniqueItems':
            good = not rule or len({json.dumps(item, sort_keys=True) for item in value}) == len(value)
        elif key == 'required':
            lost = [name for name in rule if name not in value]
            if lost:
                yield '%s has no %s; right is: all of %s' % (at, ', '.join(lost), ', '.join(rule))
            continue
        elif key == 'items':
            for index, item in enumerate(value):
                yield from misfits(item, rule, whole, '%s[%d]' % (where, index))
            continue
        elif key == 'propertyNames':
            for name in value:
                yield from misfits(name, rule, whole, 'a name in %s' % at)
            continue
        elif key in ('properties', 'additionalProperties'):
            known = schema.get('properties', {})
            for name, item in value.items():
                inside = '%s.%s' % (where, printable(name)) if where else printable(name)
                if key == 'properties' and name in known:
                    yield from misfits(item, known[name], whole, inside)
                elif key == 'additionalProperties' and name not in known:
                    if rule is False:
                        yield '%s is there; right is: no such member' % inside
                    elif isinstance(rule, dict):
                        yield from misfits(item, rule, whole, inside)
            continue
        else:
            raise ValueError('the schema has %s, which is not known here' % key)
        if not good:
            yield '%s is %s; right is: %s %s' % (at, told(value), key, told(rule))
