"""``zuul-local show``: a job as Zuul would run it, and where each part of it comes from."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from zuul_local import render
from zuul_local.tenant import provenance
from zuul_local.tenant.freeze import Frozen
from zuul_local.tenant.load import LocalTenant, load_tenant
from zuul_local.tenant.provenance import PHASES, VARIABLES, Origin, Provenance


def show(args: argparse.Namespace) -> int:
    """Print job ``args.job`` of the project in ``args.project``."""
    tenant = load_tenant(Path(args.project), base_ref=args.base_ref, given=args.with_)
    frozen, origins = provenance.trace(tenant, args.job, labels=tenant.settings.labels)
    facts = job_facts(tenant, frozen, origins)
    print(json.dumps(facts, indent=2, default=str) if args.json else '\n'.join(job_text(facts)))
    return 0


def job_facts(tenant: LocalTenant, frozen: Frozen, origins: Provenance) -> dict[str, Any]:
    """Return everything about a frozen job that is not secret, as plain data."""
    job = frozen.job
    return {
        'job': job.name, 'project': tenant.project.canonical_name, 'branch': tenant.project.branch,
        'pipeline': frozen.pipeline,
        'variants': [_origin(one) for one in origins.steps if one.path],
        'nodes': [{'name': node.name[0], 'label': node.label} for node in job.nodeset.getNodes()],
        'nodeset': {'name': job.nodeset.name or '', **_origin(origins.plain.get('nodeset'))},
        'playbooks': [_playbook(playbook, phase, at, roles_at)
                      for phase in PHASES
                      for playbook, at, roles_at in zip(getattr(job, phase) or (), origins.playbooks[phase],
                                                        origins.roles[phase], strict=True)],
        'variables': {kind: [{'name': '.'.join(path), 'value': setting.value, **_origin(setting.origin)}
                             for path, setting in sorted(origins.variables[attribute].items())]
                      for attribute, kind in VARIABLES.items()},
        'settings': [{'name': name, 'value': getattr(job, name), **_origin(origins.plain.get(name))}
                     for name in ('timeout', 'pre_timeout', 'post_timeout', 'attempts', 'ansible_version')],
        'required_projects': [{'name': name, **_origin(origins.required.get(name))} for name in job.required_projects],
        'secrets': sorted({name for phase in PHASES for playbook in getattr(job, phase) or ()
                           for name in playbook['secrets']}),
    }


def _playbook(playbook: dict[str, Any], phase: str, at: Origin, roles_at: list[Origin]) -> dict[str, Any]:
    return {
        'phase': 'cleanup' if playbook['cleanup'] else phase.removesuffix('_run'), 'path': playbook['path'],
        'project': f'{playbook["connection"]}/{playbook["project"]}', 'trusted': playbook['trusted'], **_origin(at),
        'roles': [{'project': role['project_canonical_name'], 'implicit': role['implicit'], **_origin(origin)}
                  for role, origin in zip(playbook['roles'], roles_at, strict=True)],
        'secrets': sorted(playbook['secrets']),
    }


def _origin(origin: Origin | None) -> dict[str, Any]:
    return {'from': origin.what, 'file': origin.path, 'line': origin.line} if origin else {
        'from': 'default', 'file': '', 'line': 0}


def job_text(facts: dict[str, Any]) -> list[str]:
    """Return the lines that a person reads."""
    attached = f'as attached to {facts["pipeline"]}' if facts['pipeline'] else 'not attached to a pipeline'
    lines = [f'{facts["job"]}: {facts["project"]}, branch {facts["branch"]}, {attached}']
    lines += _part('Made of, each on top of the one before', [(one['from'], _place(one)) for one in facts['variants']])
    named = f'nodeset {facts["nodeset"]["name"]}' if facts['nodeset']['name'] else 'its own nodeset'
    lines += _part('Nodes', [(one['name'], one['label'], named, *_from(facts['nodeset'])) for one in facts['nodes']])
    lines += _part('Playbooks, in order', [
        (one['phase'], one['path'], one['project'], 'trusted' if one['trusted'] else 'untrusted', *_from(one))
        for one in facts['playbooks']])
    lines += _part('Role repositories, in the order of search', _roles(facts['playbooks']))
    for kind, variables in facts['variables'].items():
        lines += _part(f'Variables ({kind})', [
            (f'{one["name"]}: {render.value(one["value"])}', *_from(one)) for one in variables])
    lines += _part('Settings', [(f'{one["name"].replace("_", "-")}: {_setting(one)}', *_from(one))
                                for one in facts['settings'] if one['value'] is not None])
    lines += _part('Required projects', [(one['name'], *_from(one)) for one in facts['required_projects']])
    return lines + _part('Secrets', [(name,) for name in facts['secrets']])


def _roles(playbooks: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Return the rows about role repositories: once when they are the same for all playbooks."""
    same = all(one['roles'] == playbooks[0]['roles'] for one in playbooks)
    return [(('all playbooks' if same else one['path']) if number == 0 else '', role['project'], *_from(role))
            for one in (playbooks[:1] if same else playbooks) for number, role in enumerate(one['roles'])]


def _setting(one: dict[str, Any]) -> str:
    return f'{one["value"]} s' if one['name'].endswith('timeout') else str(one['value'])


def _part(title: str, rows: list[tuple[str, ...]]) -> list[str]:
    return ['', f'{title}:', *render.table(rows)] if rows else []


def _from(one: dict[str, Any]) -> tuple[str, str]:
    return one['from'], _place(one)


def _place(one: dict[str, Any]) -> str:
    return render.place(one['file'], one['line'])
