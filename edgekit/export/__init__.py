"""Export of a bundle: the bare model with its contract inside, labels, golden vectors, a README.

`folder.export` writes all of it. Files are changed by our own code, which adds to them and rewrites nothing: a model
answers as it does in the bundle, because its graph and weights keep their bytes.
"""
