"""What only `init` needs of a sample of events: proposals for the mapping, choices, and new fields. Pure."""
