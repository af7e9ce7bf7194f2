"""Forms in which XNNPACK computes operators that its partitioner leaves to portable kernels, a family a module."""
