"""TELL: what happened, for a terminal, a script, a browser, and as a file to mend. Reads results; decides nothing."""
