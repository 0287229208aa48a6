"""The command line: arguments, help, errors, progress, and the table at the end."""
