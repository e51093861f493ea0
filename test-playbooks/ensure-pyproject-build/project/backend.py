"""The smallest build backend: it needs nothing, so that the test needs no index."""
import pathlib


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name = 'example-1.0-py3-none-any.whl'
    pathlib.Path(wheel_directory, name).touch()
    return name
