"""Logs published in real object stores, which run on this machine for the time of a test."""
