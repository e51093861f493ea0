import os
import unittest

from kazoo.client import KazooClient
from kazoo.exceptions import LockTimeout
from leader import take


class TestLeader(unittest.TestCase):
    def client(self):
        client = KazooClient(hosts=os.environ['ZOOKEEPER_HOSTS'])
        client.start(timeout=10)
        self.addCleanup(client.close)
        self.addCleanup(client.stop)
        return client

    def test_one_leads_until_it_is_gone(self):
        one, other = self.client(), self.client()
        self.assertTrue(take(one, 'one', 5))
        with self.assertRaises(LockTimeout):
            take(other, 'other', 0.5)
        one.stop()
        self.assertTrue(take(other, 'other', 5))
