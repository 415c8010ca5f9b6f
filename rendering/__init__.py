"""The program without engine or cluster: recorded objects, written as files."""
