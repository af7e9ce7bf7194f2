"""Scaffold of a project: what `edgekit init` finds in a folder, and the files that it writes there."""
