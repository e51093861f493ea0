import sys

from zuul_local.cli import main

sys.exit(main())
