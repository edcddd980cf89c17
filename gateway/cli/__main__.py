"""`python -m gateway.cli`: the `packstone` command, for a process that starts another."""

from gateway.cli.main import main

main()
