import os
import unittest

from notes import Base, Note
from sqlalchemy import create_engine, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session


class OnOneDatabase:
    """The tests of all databases; the job's services tell where they are."""

    variable: str
    driver: str

    def setUp(self):
        self.engine = create_engine(make_url(os.environ[self.variable]).set(drivername=self.driver))
        self.addCleanup(self.engine.dispose)
        Base.metadata.create_all(self.engine)
        self.addCleanup(Base.metadata.drop_all, self.engine)

    def test_what_is_written_is_read(self):
        with Session(self.engine) as session:
            session.add_all(Note(text=f'note {number}') for number in range(100))
            session.commit()
        with Session(self.engine) as session:
            self.assertEqual(len(session.scalars(select(Note)).all()), 100)

    def test_no_text_twice(self):
        with Session(self.engine) as session, self.assertRaises(IntegrityError):
            session.add_all([Note(text='once'), Note(text='once')])
            session.commit()


class TestPostgresql(OnOneDatabase, unittest.TestCase):
    variable, driver = 'POSTGRESQL_URL', 'postgresql+psycopg2'


class TestMariadb(OnOneDatabase, unittest.TestCase):
    variable, driver = 'MYSQL_URL', 'mysql+pymysql'
