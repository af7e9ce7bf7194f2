"""Coverage: architecture × backend × precision, each cell a build in a process of its own, and the table of them."""
