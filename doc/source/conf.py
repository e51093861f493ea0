"""Settings of Sphinx; built by "./zuul-local test docs", with warnings as errors."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

project = 'zuul-stdlib'
author = 'its contributors'
copyright = 'its contributors'  # the name that Sphinx wants

extensions = ['zuul_sphinx', 'reno.sphinxext', 'compatibility']
html_theme = 'alabaster'
html_theme_options = {
    'description': 'Jobs and roles for Zuul, and a runner that proves them',
    'fixed_sidebar': True,
    'page_width': '64em',
}
html_sidebars = {'**': ['about.html', 'searchfield.html', 'navigation.html']}
html_show_sphinx = False
html_show_copyright = False
zuul_autoroles_warn_missing = True
