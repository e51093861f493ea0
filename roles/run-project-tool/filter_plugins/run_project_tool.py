# SPDX-License-Identifier: Apache-2.0
"""Arguments as jobs write them, as words of a command line."""
from __future__ import annotations

import shlex
from typing import Any, Callable, Dict, List, Mapping


def words(value: Any) -> str:
    """Return arguments in one text with the quoting of a shell.

    :param value: a list of words, each as it is; or such a text already; or a number.
    """
    if isinstance(value, (list, tuple)):
        return ' '.join(shlex.quote(str(word)) for word in value)
    return '' if value is None else str(value)


def problems(given: Mapping[str, Any]) -> List[str]:
    """Return a line for each value of *given* (variable to value) that cannot be split into words."""
    found = []
    for variable, value in given.items():
        text = words(value)
        try:
            shlex.split(text)
        except ValueError:
            found.append("%s is '%s': a quotation is not closed, or the last character is a backslash. "
                         'Write it as for a shell.' % (variable, text))
    return found


class FilterModule:
    """Ansible asks this class for the filters of the file."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        return {'project_tool_words': words, 'project_tool_problems': problems}
