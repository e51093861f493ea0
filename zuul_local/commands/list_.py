"""``zuul-local list``: the jobs, labels and templates that there are."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

from zuul_local import render
from zuul_local.nodes.labels import load_labels
from zuul_local.tenant.load import LocalTenant, load_tenant


def list_jobs(args: argparse.Namespace) -> int:
    """Print what ``args.what`` names: 'jobs', 'labels', 'templates' or 'all'."""
    tenant = load_tenant(Path(args.project), base_ref=args.base_ref, given=args.with_)
    parts = ('jobs', 'templates', 'labels') if args.what == 'all' else (args.what,)
    facts = {'project': tenant.project.canonical_name, 'branch': tenant.project.branch,
             **{part: _FACTS[part](tenant) for part in parts}}
    if args.json:
        print(json.dumps(facts, indent=2))
    else:
        print('\n\n'.join('\n'.join(_TEXT[part](facts)) for part in parts))
    return 0


def jobs(tenant: LocalTenant) -> list[dict[str, Any]]:
    """Return the jobs of the tenant: first those that the project runs, in its order, then the others by name."""
    attached = attachments(tenant)
    names = [*(name for name in attached if name in tenant.layout.jobs),
             *sorted(name for name in tenant.layout.jobs if name not in attached)]
    return [_job(tenant, name, attached.get(name, [])) for name in names if name != 'noop']


def attachments(tenant: LocalTenant) -> dict[str, list[str]]:
    """Return job name -> pipelines in which the project at hand runs it, by its stanzas and their templates."""
    found: dict[str, list[str]] = {}
    for config in tenant.layout.getProjectConfigs(tenant.project.canonical_name):
        templates = [one for name in config.templates for one in tenant.layout.project_templates.get(name, ())]
        for stanza in (config, *templates):
            for pipeline, pipeline_config in stanza.pipelines.items():
                for name in pipeline_config.job_list.jobs:
                    if pipeline not in found.setdefault(str(name), []):
                        found[str(name)].append(str(pipeline))
    return found


def templates(tenant: LocalTenant) -> list[dict[str, Any]]:
    """Return the project templates of the tenant by name."""
    return [{
        'name': str(name), **_where(tenant, variants[0]),
        'pipelines': {str(pipeline): [str(job) for job in config.job_list.jobs]
                      for one in variants for pipeline, config in one.pipelines.items()},
    } for name, variants in sorted(tenant.layout.project_templates.items()) if variants]


def labels(tenant: LocalTenant) -> list[dict[str, Any]]:
    """Return our labels, then those of other sites that the project's settings map to them."""
    ours = [{'name': label.name, 'platform': label.platform, 'release': label.release, 'pythons': list(label.pythons),
             'kind': label.kind, 'default': label.default, 'offline': label.offline, 'stands_for': ''}
            for label in load_labels().values()]
    by_name = {one['name']: one for one in ours}
    return ours + [{**by_name.get(used, {}), 'name': name, 'default': False, 'stands_for': used}
                   for name, used in tenant.settings.labels.items()]


def _job(tenant: LocalTenant, name: str, pipelines: list[str]) -> dict[str, Any]:
    variants = tenant.layout.jobs[name]
    first = variants[0]
    parent = '' if first.isBase() else str(first.parent or tenant.zuul.default_base_job)
    description = next((one.description for one in variants if one.description), '')
    return {'name': str(name), 'parent': parent, 'abstract': any(one.abstract for one in variants),
            'description': _sentence(description), 'pipelines': pipelines,
            **_where(tenant, first), 'variants': len(variants)}


def _sentence(text: str) -> str:
    """Return the first sentence of the first paragraph of *text*."""
    paragraph = ' '.join(text.strip().split('\n\n')[0].split())
    return re.split(r'(?<=[.!?;:]) ', paragraph)[0]


def _where(tenant: LocalTenant, thing: Any) -> dict[str, Any]:
    return {'file': tenant.locate(thing.source_context), 'line': thing.start_mark.line + 1 if thing.start_mark else 0}


def _jobs_text(facts: dict[str, Any]) -> list[str]:
    mine = [one for one in facts['jobs'] if one['pipelines']]
    others = [one for one in facts['jobs'] if not one['pipelines']]
    lines: list[str] = []
    for title, some in ((f'Jobs that {facts["project"]} runs', mine), ('Other jobs', others)):
        if some:
            rows: list[tuple[str, ...]] = [
                (one['name'] + (' (abstract)' if one['abstract'] else ''), one['parent'] or '-',
                 ', '.join(one['pipelines']), render.place(one['file'], one['line']), one['description'])
                for one in some]
            lines += [*([''] if lines else []), f'{title}:', *render.table(_without_empty_columns(rows))]
    return lines


def _templates_text(facts: dict[str, Any]) -> list[str]:
    rows = [(one['name'], render.place(one['file'], one['line']),
             '; '.join(f'{pipeline}: {", ".join(names)}' for pipeline, names in one['pipelines'].items()))
            for one in facts['templates']]
    return ['Templates:', *(render.table(rows) if rows else ['  none'])]


def _labels_text(facts: dict[str, Any]) -> list[str]:
    rows = [(one['name'] + (' (default)' if one['default'] else ''),
             f'{one.get("platform", "?")} {one.get("release", "?")}', f'Python {", ".join(one.get("pythons", ()))}',
             one.get('kind', ''), f'stands for {one["stands_for"]}' if one['stands_for'] else
             'no way out of its network' if one.get('offline') else '') for one in facts['labels']]
    return ['Labels:', *render.table(rows)]


def _without_empty_columns(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    kept = [number for number in range(len(rows[0])) if any(row[number] for row in rows)]
    return [tuple(row[number] for number in kept) for row in rows]


_FACTS = {'jobs': jobs, 'templates': templates, 'labels': labels}
_TEXT = {'jobs': _jobs_text, 'templates': _templates_text, 'labels': _labels_text}
