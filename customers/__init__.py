"""The register: who we know, where we saw them, what they wrote. Imports nothing from `resolution`."""
