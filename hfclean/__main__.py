"""`python -m hfclean`: the command line where the script is not on the path."""

import sys

from hfclean.cli import main

sys.exit(main())
