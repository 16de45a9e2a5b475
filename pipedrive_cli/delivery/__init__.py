"""DELIVER: changes reach Pipedrive, each once, and the journal says what became of each event. Knows no files."""
