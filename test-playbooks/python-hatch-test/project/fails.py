"""Fails as a linter does."""

import sys

sys.exit('fails.py:3:1: E999 something is wrong')
