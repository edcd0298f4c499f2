"""How dates and times are written, a package a language; Django looks here before its own."""
