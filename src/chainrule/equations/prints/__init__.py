"""Prints of lines: text, LaTeX, MathML and the page, with their legend."""
