"""Zuul's own test material as the measure of what is built on Zuul here."""
