"""The tests: they mirror the packages; journeys/ holds whole stories."""
