def test_failing():
    assert [] == [1]
