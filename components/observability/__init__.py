"""How the platform is watched: who scrapes whom, which metrics there are, what is promised, and what is an alert."""
