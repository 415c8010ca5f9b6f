"""Input of monitoring, judged by the programs that read it."""
