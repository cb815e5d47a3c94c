"""The command line of tap and target: settings, files, and error messages."""
