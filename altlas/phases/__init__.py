"""From one phase to the next: the settings that differ, and taking them over."""
