from django.core.cache import cache
from django.db import IntegrityError, connection
from django.test import TestCase

from notes.models import Note


class TestNotes(TestCase):
    def test_it_is_the_real_database(self):
        self.assertEqual(connection.vendor, 'postgresql')

    def test_what_only_a_real_database_finds(self):
        Note.objects.create(text='one', tags=['a', 'b'])
        self.assertEqual(Note.objects.filter(tags__contains=['b']).count(), 1)

    def test_no_text_twice(self):
        Note.objects.create(text='one')
        with self.assertRaises(IntegrityError):
            Note.objects.create(text='one')

    def test_cache(self):
        cache.set('notes', [1, 2], 60)
        self.assertEqual(cache.get('notes'), [1, 2])
