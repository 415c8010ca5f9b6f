"""How fast the program is, as ratios to other tools in one run on one machine."""
