"""The commands of the application, one file each: `main(words)` does it and returns the status."""

COMMANDS = {
    "run": "train the network of CONFIG into a new numbered folder; or show a demo",
    "resume": "go on with an interrupted run, to the same bytes as if it had never stopped",
    "sweep": "train every cell of a grid of settings and seeds, and rank them",
    "compare": "what differs between runs: the keys, the results, the curves",
    "report": "one HTML page about a run",
    "predict": "what a trained network says of new examples",
    "show": "print every key of CONFIG as TOML; saved, it is a config itself",
    "list": "the shipped configs, the demos, and the runs in a folder",
    "check": "compare the gradients of CONFIG's network with those of autodiff",
    "bench": "measure what the library claims",
}
USAGE = f"usage: python -m experiments {{{','.join(COMMANDS)}}} ..."
