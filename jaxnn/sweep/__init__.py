"""Forward and backward through a network: backpropagation, micro-batches, prediction."""
