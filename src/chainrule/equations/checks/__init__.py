"""Checks of lines: an independent reader of what is printed, and the values that it must find."""
