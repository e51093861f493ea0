"""Settings of a site whose database and cache the environment names."""
import os

import dj_database_url

SECRET_KEY = 'for tests only'
INSTALLED_APPS = ['notes']
DATABASES = {'default': dj_database_url.config()}
CACHES = {'default': {'BACKEND': 'django.core.cache.backends.memcached.PyMemcacheCache',
                      'LOCATION': os.environ.get('MEMCACHE_SERVERS', '127.0.0.1:11211')}}
DEFAULT_AUTO_FIELD = 'django.db.models.BigAutoField'
USE_TZ = True
