"""Second derivatives, and derivatives by the inputs."""
