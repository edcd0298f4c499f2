"""The HTTP face: each view reads the request, makes one domain call and translates the answer."""
