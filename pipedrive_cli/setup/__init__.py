"""SETUP: makes a mapping from a sample of events, for `init`: proposals, choices, and new fields. Pure."""
