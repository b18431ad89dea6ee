"""`python -m flavorsync_project COMMAND`: what the processes that we start ourselves are started by."""

from flavorsync_project.command_line import main

main()
