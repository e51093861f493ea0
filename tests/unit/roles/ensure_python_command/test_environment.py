# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import unittest

from tests.unit.roles import module_utils

environments = module_utils('ensure_python_command_environment')
index = module_utils('ensure_python_command_index')
requests = module_utils('ensure_python_command_request')
SITE = index.site({}, [])
REQUEST = requests.Request('tool', 'tool', '', '', '/x', ('index',), 'auto', False, False, '/c', 60)


class TestInstallers(unittest.TestCase):
    def test_installers_are_told_where_to_look(self) -> None:
        plan = requests.Plan(('tool==2.0',), (), '2.0', True, 'd')
        for argv_of, first in ((environments.pip_argv, ['/v/bin/python', '/w/pip.whl/pip', 'install']),
                               (environments.uv_argv, ['/usr/bin/uv', 'pip', 'install', '--python', '/v/bin/python'])):
            paths = '/w/pip.whl' if argv_of is environments.pip_argv else '/usr/bin/uv', '/v/bin/python'
            with self.subTest(first=first):
                cached = argv_of(*paths, '/v/r.txt', plan, REQUEST, None)
                self.assertEqual(cached[:len(first)], first)
                self.assertEqual(cached[-3:], ['--no-index', '--find-links', '/c'])
                self.assertLess({'--require-hashes', '--no-deps', '--only-binary'}, set(cached))
                free = argv_of(*paths, '/v/r.txt', plan._replace(locked=False), REQUEST._replace(allow_builds=True),
                               SITE)
                for word in ('--no-index', '--require-hashes', '--no-deps', '--only-binary', '--find-links'):
                    self.assertNotIn(word, free)

    def test_uv_is_told_what_pip_is_configured_for(self) -> None:
        site = index.Site('https://me:pw@one.example/simple', ('https://two.example/simple',), ('/wheels',), True,
                          '/ca.pem',
                          None, ('two.example',), 'http://proxy:3128')
        self.assertEqual(environments.uv_environment(site), {
            'UV_INDEX_STRATEGY': 'unsafe-best-match', 'UV_SYSTEM_CERTS': '1',
            'UV_DEFAULT_INDEX': 'https://me:pw@one.example/simple', 'UV_EXTRA_INDEX_URL': 'https://two.example/simple',
            'UV_FIND_LINKS': '/wheels', 'UV_INSECURE_HOST': 'two.example', 'SSL_CERT_FILE': '/ca.pem',
            'HTTP_PROXY': 'http://proxy:3128', 'HTTPS_PROXY': 'http://proxy:3128'})
        plan = requests.Plan(('tool==2.0',), (), '2.0', True, 'd')
        self.assertIn('--no-index', environments.uv_argv('/uv', '/v/bin/python', '/v/r.txt', plan, REQUEST, site))

    def test_credentials_are_not_repeated(self) -> None:
        self.assertEqual(environments.words_of('error: https://me:pw@one.example/simple said no'),
                         'error: https://****@one.example/simple said no')

    def test_long_lists_of_versions_are_cut(self) -> None:
        listed = ', '.join(f'1.{n}' for n in range(99))
        self.assertEqual(environments.words_of(f'ERROR: none for x==9 (from versions: {listed})\nERROR: no'),
                         'ERROR: none for x==9 (newest: 1.98)\nERROR: no')

    def test_repeated_tries_are_told_once(self) -> None:
        said = ''.join(
            f"WARNING: Retrying (Retry(total={left}, connect=None)) after connection broken by 'NewConnectionError("
            f"'<pip._vendor.HTTPSConnection object at 0x7f0{left}>: no way out')': /simple/x/\n" for left in (1, 0))
        self.assertEqual(environments.words_of(said + 'ERROR: no'), "NewConnectionError('no way out')\nERROR: no")


if __name__ == '__main__':
    unittest.main()
