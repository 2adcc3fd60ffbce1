"""The command line's commands, one file each: they parse, and call what a notebook calls."""
