"""TRANSFORM: turns an event into changes of records. Pure: no clock, network or disk; knows no records of Pipedrive."""
