# SPDX-License-Identifier: Apache-2.0
import os

import nox

nox.options.sessions = ['good']
SAY = "import colorama, sys; print(sys.argv[1], getattr(colorama, 'ORIGIN', 'released'))"


@nox.session(venv_backend='none')
def good(session):
    session.log('constraints %s %s', os.environ.get('NOX_CONSTRAINTS_FILE'), os.environ.get('UPPER_CONSTRAINTS_FILE'))
    session.log('colour %s, CI %s', os.environ.get('COLOUR'), os.environ.get('CI'))


@nox.session(venv_backend='none', tags=['style'])
def linters(session):
    session.log('style is good')


@nox.session(venv_backend='none')
def bad(session):
    session.error('the tests say no')


@nox.session(venv_backend='none')
def posargs(session):
    session.log('posargs %r', session.posargs)


@nox.session
def version(session):
    session.run('python', '-c', 'import sys; print("version", sys.version_info[:2])')


@nox.session(reuse_venv=False)
@nox.parametrize('which', ['one', 'two'])
def uses(session, which):
    session.install('colorama==0.4.5')
    session.run('python', '-c', SAY, which)


@nox.session(venv_backend='uv', tags=['uv'])
def quick(session):
    session.install('colorama==0.4.5')
    session.run('python', '-c', SAY, 'quick')
