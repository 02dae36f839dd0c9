"""Steps, epochs, many models, and the network for inference."""
