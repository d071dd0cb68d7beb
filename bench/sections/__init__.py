"""A section each: `run(options)` gives a list of Sections."""
