"""A float program becomes an integer one."""
