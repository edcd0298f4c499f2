"""The only writes to the register. Identity rules live in `resolution.services`, which calls these."""
