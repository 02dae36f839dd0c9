"""The workloads, one file each with a value `WORKLOAD`; see `experiments.bench`."""
