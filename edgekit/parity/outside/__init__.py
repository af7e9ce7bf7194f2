"""Detection of samples from outside of the distribution that a model was made for, by how sure it is of them."""
