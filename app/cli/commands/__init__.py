"""
Every command with its options and arguments, as ``--help`` shows them; one module for each group.

A function here stands for its command: its docstring is the command's sentence, and it imports the module of
`app.commands` that does the work, so that help, completion and the window start without any of them.
"""

# Help lists the commands in the order in which these modules declare them.
# isort: off
from app.cli.commands import recording, alerts, data, drawings, lake, research, db, tools

# isort: on
from app.cli.commands.root import cryptopipe

__all__ = ["alerts", "cryptopipe", "data", "db", "drawings", "lake", "recording", "research", "tools"]
