"""The smallest build backend: it needs nothing, so that the test needs no index."""
import os
import zipfile

NAME = 'example-1.0-py3-none-any.whl'


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(os.path.join(wheel_directory, NAME), 'w') as wheel:
        wheel.writestr('example.py', 'ANSWER = 42\n')
        wheel.writestr('example-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\nName: example\nVersion: 1.0\n')
        wheel.writestr('example-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
        wheel.writestr('example-1.0.dist-info/RECORD', 'example.py,,\nexample-1.0.dist-info/METADATA,,\n'
                       'example-1.0.dist-info/WHEEL,,\nexample-1.0.dist-info/RECORD,,\n')
    return NAME
