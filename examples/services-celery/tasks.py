"""Work that a worker does: the broker and the place for results are what the environment names."""
import os

from celery import Celery

app = Celery('tasks', broker=os.environ['CELERY_BROKER_URL'], backend=os.environ['REDIS_URL'])


@app.task
def add(one, other):
    """Return the sum."""
    return one + other


@app.task
def fail():
    """Fail."""
    raise ValueError('no')
