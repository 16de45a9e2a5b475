"""What the sandbox accepts, refuses, counts and breaks."""
