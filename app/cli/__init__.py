"""The command line: commands and their options, help, shell completion and exit codes."""
