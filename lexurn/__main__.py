"""`python -m lexurn` is `lexurn`."""

from lexurn.cli import main

main(prog_name="lexurn")
