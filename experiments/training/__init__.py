"""Training the network of a config: the task, its epochs, and the record they leave."""
