"""Previews of which only the numbers are wanted."""
