import os

import example


def test_answer():
    assert example.ANSWER == 42


def test_environment():
    print('the colour is', os.environ.get('COLOUR', 'none'))


def test_extra():
    try:
        import colorama
    except ImportError:
        print('without the extra')
    else:
        print('colorama', colorama.__version__)


def test_of_two_words():
    print('never chosen')
