"""RUN: puts the rooms together for one command. Here alone config, files, journal, client and clock meet."""
