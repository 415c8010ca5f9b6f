"""Real builds of the images over bases that are put together here, and the proof of what they do."""
