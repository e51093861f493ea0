import nox


@nox.session
def tests(session):
    session.run('python', '-c', 'import sys; assert sys.prefix != sys.base_prefix')
