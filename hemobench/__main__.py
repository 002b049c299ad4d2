"""`python -m hemobench`."""

from hemobench.cli import main

main()
