"""REPORT: shows what happened, to a terminal, a script, a browser, and as a file to mend. Decides nothing."""
