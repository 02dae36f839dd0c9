"""The application: trains the networks of `jaxnn` from config files and records every run."""
