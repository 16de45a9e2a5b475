"""WIRE: what Pipedrive's API looks like, as data, and the one client that speaks to it."""
