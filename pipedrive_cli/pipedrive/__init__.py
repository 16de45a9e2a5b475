"""WIRE: Pipedrive's API described as data, and the one client that calls it."""
