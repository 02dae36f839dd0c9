"""What everything is made of: values, parameters, factors, and the contract of a layer."""
