from hello import hello


def test_hello():
    assert hello('Zuul') == 'Hello, Zuul!'
