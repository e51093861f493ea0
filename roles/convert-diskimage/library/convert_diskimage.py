#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Convert a disk image into other formats."""
from __future__ import annotations

DOCUMENTATION = r'''
module: convert_diskimage
short_description: Convert a disk image into other formats
description:
  - Runs qemu-img once for each format that is not there yet. What it writes gets its name when it is complete, and the
    time of its source, by which a later run knows it.
options:
  source: {description: The image., type: path, required: true}
  source_format: {description: Its format; empty takes it from the name., type: str, default: ''}
  target: {description: Path of the new images., type: path, required: true}
  formats: {description: Formats to make., type: list, elements: str, required: true}
  timeout: {description: Seconds that one may take., type: int, default: 3600}
attributes:
  check_mode: {support: full}
author: [zuul-stdlib]
'''
EXAMPLES = r'''
- name: Make a raw image
  convert_diskimage:
    source: /home/zuul/dib-images/one.qcow2
    target: /home/zuul/dib-images/one
    formats: [raw]
'''
RETURN = r'''
images: {description: Format and path of each image., type: dict, returned: success}
converted: {description: Formats that were made., type: list, elements: str, returned: success}
'''

import os
import stat
import tempfile
from typing import Any, Callable, Dict, List, Sequence, Tuple

#: format -> what qemu-img is told
FORMATS: Dict[str, Tuple[str, ...]] = {
    'qcow2': ('qcow2',), 'raw': ('raw',), 'vdi': ('vdi',), 'vhd': ('vpc', '-o', 'subformat=fixed,force_size=on'),
    'vhdx': ('vhdx',), 'vmdk': ('vmdk',),
}
ENDINGS = {'img': 'raw'}
Run = Callable[[Sequence[str]], Tuple[int, str, str]]


class Refused(Exception):
    """The image cannot be converted; the text is for people."""


def known(source: str, said: str) -> str:
    """Return the format of *source*: the one that is *said*, or that of its name."""
    ending = os.path.basename(source).rpartition('.')[2].lower()
    return said or ENDINGS.get(ending, ending)


def path_of(target: str, image_format: str) -> str:
    """Return the path of the image in *image_format*."""
    ending = '.' + image_format
    return target if target.endswith(ending) else target + ending


def problems(params: Dict[str, Any]) -> List[str]:
    """All that is wrong with the request; each says value, rule and remedy."""
    found = []
    allowed = ', '.join(sorted(FORMATS))
    unknown = [one for one in params['formats'] if one not in FORMATS]
    if unknown or not params['formats']:
        found.append('convert_diskimage_target_image_formats is %s: at least one format, of %s, is needed.'
                     % (params['formats'], allowed))
    if known(params['source'], params['source_format']) not in FORMATS:
        found.append("convert_diskimage_source_format is '%s' and convert_diskimage_source_image '%s': no format is "
                     'known. Set it to one of %s.' % (params['source_format'], params['source'], allowed))
    for name in ('source', 'target'):
        if not os.path.isabs(params[name]):
            found.append("convert_diskimage_%s_image is '%s': not an absolute path." % (name, params[name]))
    try:
        fine = stat.S_ISREG(os.lstat(params['source']).st_mode)
        why = '' if fine else 'it is no plain file'
    except OSError as error:
        why = str(error.strerror)
    if why:
        found.append("convert_diskimage_source_image is '%s': %s. Give the path of an image on the node."
                     % (params['source'], why))
    if not os.path.isdir(os.path.dirname(params['target'])):
        found.append("convert_diskimage_target_image is '%s': its folder is not there. Make it before."
                     % params['target'])
    clash = [one for one in params['formats'] if path_of(params['target'], one) == params['source']
             and one != known(params['source'], params['source_format'])]
    if clash:
        found.append("convert_diskimage_target_image is '%s': in %s it would be the source. Choose another name."
                     % (params['target'], ', '.join(clash)))
    if params['timeout'] < 1:
        found.append('convert_diskimage_timeout is %d: at least 1 is needed.' % params['timeout'])
    return found


def command(source: str, source_format: str, target: str, image_format: str) -> List[str]:
    """Return what makes *target* of *source*."""
    return ['qemu-img', 'convert', '-f', FORMATS[source_format][0], '-O', *FORMATS[image_format], source, target]


def convert(params: Dict[str, Any], run: Run, check_mode: bool = False) -> Dict[str, Any]:
    """Convert the image, and return the task's result.

    :raises Refused: it cannot be done.
    """
    found = problems(params)
    if found:
        count = '1 problem' if len(found) == 1 else '%d problems' % len(found)
        raise Refused('\n  - '.join(['convert-diskimage: cannot continue, %s:' % count, *found]))
    source = params['source']
    when = os.lstat(source).st_mtime_ns
    images = {one: path_of(params['target'], one) for one in params['formats']}
    todo = [one for one, path in images.items() if path != source and not _there(path, when)]
    for one in [] if check_mode else todo:
        _one(params, one, images[one], when, run)
    return {'changed': bool(todo), 'images': images, 'converted': todo}


def _there(path: str, when: int) -> bool:
    try:
        seen = os.lstat(path)
    except FileNotFoundError:
        return False
    return stat.S_ISREG(seen.st_mode) and seen.st_mtime_ns == when


def _one(params: Dict[str, Any], image_format: str, path: str, when: int, run: Run) -> None:
    source_format = known(params['source'], params['source_format'])
    with tempfile.TemporaryDirectory(prefix='.converting-', dir=os.path.dirname(path)) as scratch:
        made = os.path.join(scratch, 'image')
        argv = command(params['source'], source_format, made, image_format)
        try:
            code, _, err = run(argv)
        except FileNotFoundError:
            raise Refused("convert-diskimage: qemu-img is not on the node. Call the role 'ensure-dib' before, or "
                          'install the package qemu-utils (Debian), qemu-img (Fedora) or qemu-tools (SUSE).') from None
        if code == 124:
            raise Refused('convert-diskimage: %s was not done in %d seconds. Set convert_diskimage_timeout to more.'
                          % (image_format, params['timeout']))
        if code:
            raise Refused("convert-diskimage: qemu-img cannot make %s of '%s' as %s: %s"
                          % (image_format, params['source'], source_format, err.strip()[-2000:]))
        os.utime(made, ns=(when, when))
        os.chmod(made, 0o644)
        os.replace(made, path)


def main() -> None:
    """Run as a module."""
    from ansible.module_utils.basic import AnsibleModule
    module = AnsibleModule(
        argument_spec={
            'source': {'type': 'path', 'required': True}, 'source_format': {'type': 'str', 'default': ''},
            'target': {'type': 'path', 'required': True},
            'formats': {'type': 'list', 'elements': 'str', 'required': True},
            'timeout': {'type': 'int', 'default': 3600}},
        supports_check_mode=True)

    def run(argv: Sequence[str]) -> Tuple[int, str, str]:
        if not module.get_bin_path(argv[0]):
            raise FileNotFoundError(argv[0])
        answer: Tuple[int, str, str] = module.run_command(
            ['timeout', '--kill-after=30', str(module.params['timeout']), 'env', 'LC_ALL=C', *argv])
        return answer
    try:
        result = convert(module.params, run, module.check_mode)
    except Refused as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == '__main__':
    main()
