def test_good():
    print('so far so good')


def test_bad():
    assert [] == [1]
