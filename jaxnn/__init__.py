"""Neural networks in JAX whose backward pass is written by hand."""
