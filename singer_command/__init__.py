"""What tap and target share as programs on a command line: settings and files in, failures out."""
