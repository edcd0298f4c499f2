"""Files and whole tables on their way into the register: read, make canonical, compare, settle."""
