"""Starting from the parameters of another run instead of random ones."""

from pathlib import Path

import jax
from safetensors import SafetensorError, safe_open

import jaxnn as nn
from experiments.common.failures import ConfigError
from jaxnn.saving import named

_FILES = ("best.safetensors", "checkpoint.safetensors")


def warmed(given: str | None, state: nn.State) -> nn.State:
    """`state` with the parameters of the run folder `given`: of its best epoch, else of its last.

    The optimizer starts anew. Raises ConfigError if there is no such run, or its parameters do not
    have the names and shapes of these.
    """
    if given is None:
        return state
    files = [path for name in _FILES if (path := Path(given) / name).exists()]
    if not files:
        raise ConfigError(
            f"train.warm_start: expected the folder of a run with {' or '.join(_FILES)}, "
            f"got '{given}'"
        )
    wanted = named(state.params)
    try:
        with safe_open(files[0], framework="numpy") as file:
            names = {f"state/params/{name}": leaf.shape for name, leaf in wanted.items()}
            there = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
            for name, shape in names.items():
                if there.get(name) != list(shape):
                    raise ConfigError(
                        f"train.warm_start: {files[0]} has {there.get(name, 'nothing')} for "
                        f"'{name}', the network {list(shape)}"
                    )
            leaves = [jax.numpy.asarray(file.get_tensor(name)) for name in names]
    except SafetensorError as error:
        raise ConfigError(f"train.warm_start: {files[0]}: {error}") from None
    return state._replace(params=jax.tree.unflatten(jax.tree.structure(state.params), leaves))
