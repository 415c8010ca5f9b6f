"""Tests of the documents: links, commands, decision records, claims and plain English."""
