"""Write a wheel that has metadata and nothing else."""
import zipfile

METADATA = """Metadata-Version: 2.1
Name: example
Version: 1.0
Summary: An example
Description-Content-Type: text/x-rst

An example.
"""
with zipfile.ZipFile('example-1.0-py3-none-any.whl', 'w') as wheel:
    wheel.writestr('example-1.0.dist-info/METADATA', METADATA)
    wheel.writestr('example-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
    wheel.writestr('example-1.0.dist-info/RECORD', '')
