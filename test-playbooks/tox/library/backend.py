# SPDX-License-Identifier: Apache-2.0
"""Build a wheel of what lies here, without anything from an index."""
import os
import zipfile

NAME, INFO = 'colorama-99.0-py3-none-any.whl', 'colorama-99.0.dist-info/'


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(os.path.join(wheel_directory, NAME), 'w') as packed:
        packed.write('colorama/__init__.py')
        packed.writestr(INFO + 'METADATA', 'Metadata-Version: 2.1\nName: Colorama\nVersion: 99.0\n')
        packed.writestr(INFO + 'WHEEL', 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
        packed.writestr(INFO + 'RECORD', ''.join(name + ',,\n' for name in packed.namelist()))
    return NAME
