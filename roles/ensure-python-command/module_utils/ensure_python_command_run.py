# SPDX-License-Identifier: Apache-2.0
"""Programs that are run for the engine: bounded in time, and with settings of their own."""
from __future__ import annotations

from ansible.module_utils.ensure_python_command_image import Run

#: what a person has set for pip or Python in general must not decide where a tool of ours goes
_WITHOUT = ('PYTHONPATH', 'PYTHONHOME', 'PIP_TARGET', 'PIP_PREFIX', 'PIP_ROOT', 'PIP_REQUIREMENT', 'PIP_CONSTRAINT',
            'PIP_REQUIRE_VIRTUALENV', 'PIP_BREAK_SYSTEM_PACKAGES', 'PIP_PYTHON', 'PIP_NO_DEPS', 'PIP_ONLY_BINARY',
            'PIP_NO_BINARY', 'PIP_DRY_RUN', 'VIRTUAL_ENV', 'UV_PYTHON', 'UV_TARGET', 'UV_PREFIX', 'UV_CONSTRAINT',
            'UV_OVERRIDE', 'UV_INDEX', 'UV_INDEX_URL', 'UV_EXCLUDE_NEWER', 'UV_NO_BINARY', 'UV_NO_BUILD', 'UV_OFFLINE',
            'UV_SYSTEM_PYTHON', 'UV_RESOLUTION', 'UV_PRERELEASE', 'UV_CONFIG_FILE')


def bounded(run: Run) -> Run:
    """Give *run* (``AnsibleModule.run_command``) a time limit in seconds and an environment of its own."""
    head = ['env', *(f'--unset={name}' for name in _WITHOUT)]

    def limited(argv: list[str], timeout: int, environment: dict[str, str] | None = None) -> tuple[int, str, str]:
        settings = {'LC_ALL': 'C.UTF-8', 'PIP_USER': '0', **(environment or {})}
        code, out, err = run(['timeout', '--kill-after=5', str(timeout), *head, *argv], environ_update=settings,
                             handle_exceptions=True)
        return code, out, f'{err}\nstopped after {timeout} s' if code in (124, 137) else err
    return limited
