"""What the documentation says about the command line, settings and labels is what the code has."""

from __future__ import annotations

import argparse
import re
import unittest
from collections.abc import Iterator

from zuul_local import cli, errors, paths
from zuul_local.nodes.labels import load_labels
from zuul_local.tenant import settings

REFERENCE = paths.LIBRARY / 'doc' / 'source' / 'reference'


def verbs(parser: argparse.ArgumentParser, name: str = '') -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Yield every verb, such as ``node build``, with its parser."""
    inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not inner:
        yield name.strip(), parser
    for action in inner:
        for word, child in action.choices.items():
            yield from verbs(child, f'{name} {word}')


def told_options(text: str) -> dict[str, set[str]]:
    """Return the options that the page of the command line tells for each verb."""
    verb = ''
    told: dict[str, set[str]] = {}
    for line in text.splitlines():
        entry = re.match(r'``(?P<words>[a-z][a-z -]*[a-z])(?: [A-Z[].*)?``$', line)
        verb = entry['words'] if entry else verb
        if verb:
            told.setdefault(verb, set()).update(re.findall(r'--[a-z-]+', line))
        if line.startswith('Every verb takes'):
            verb = 'every verb'
        if line == 'Exit codes':
            return told
    return told


class TestCommandLine(unittest.TestCase):
    def test_every_verb_is_told_with_its_options(self) -> None:
        told = told_options((REFERENCE / 'command-line.rst').read_text())
        everywhere = told.pop('every verb')
        known = dict(verbs(cli.parser()))
        self.assertEqual(sorted(told), sorted(known))
        for name, parser in known.items():
            with self.subTest(verb=name):
                options = {option for action in parser._actions for option in action.option_strings
                           if option.startswith('--') and option != '--help'}
                self.assertEqual(sorted(told[name] | everywhere), sorted(options | everywhere))
                self.assertLessEqual(everywhere, options)

    def test_every_exit_code_is_told(self) -> None:
        text = (REFERENCE / 'command-line.rst').read_text()
        table = {int(number) for number in re.findall(r'^(\d+) +\S', text, re.MULTILINE)}
        self.assertEqual(table, {errors.SUCCESS, errors.FAILURE, errors.USAGE, errors.BUG, errors.INTERRUPTED})


class TestSettings(unittest.TestCase):
    def test_every_key_is_told(self) -> None:
        text = (REFERENCE / 'settings.rst').read_text()
        keys = set(re.findall(r'^``([a-z]+)``$', text, re.MULTILINE))
        self.assertEqual(keys, set(settings.Settings.__dataclass_fields__))
        self.assertTrue(text.startswith('=' * len(settings.FILE) + '\n' + settings.FILE))


class TestLabels(unittest.TestCase):
    def test_every_label_is_told_with_its_pythons(self) -> None:
        text = (REFERENCE / 'labels.rst').read_text()
        rows = re.findall(r'^(\S+) {2,}\w.*?(, the default)? {2,}([\d. ]+?) {2,}(real|contract|untried)$', text, re.M)
        told = {(name, bool(default), tuple(pythons.split()), kind) for name, default, pythons, kind in rows}
        self.assertEqual(told, {(label.name, label.default, label.pythons, label.kind)
                                for label in load_labels().values() if not label.offline})
