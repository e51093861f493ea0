"""Start of the program: ``python -m zuul_local``."""

from zuul_local.cli import main

raise SystemExit(main())
