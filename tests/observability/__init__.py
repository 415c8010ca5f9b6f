"""What monitoring is given, judged by the programs that read it."""
