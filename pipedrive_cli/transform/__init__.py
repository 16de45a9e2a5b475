"""TRANSFORM: an event becomes changes of records. Pure: no clock, network or disk, nothing of Pipedrive's state."""
