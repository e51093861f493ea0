import sys

from zuul_local.cli import main

if __name__ == '__main__':      # not where multiprocessing loads it again
    sys.exit(main())
