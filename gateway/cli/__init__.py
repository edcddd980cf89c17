"""The `packstone` command: one file a command family.

A command imports what it needs when it runs, so that every command starts quickly.
"""

from gateway.cli.main import main

__all__ = ["main"]
