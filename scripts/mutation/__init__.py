"""Mutation testing: faults put into the source one at a time, and which of them no test notices."""
