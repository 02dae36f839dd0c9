"""The perceptron, its rules, and threshold units."""
