"""Saving: parameters, a `State`, or any tree of arrays, in one file of safetensors.

    save("net.safetensors", state)
    state = load("net.safetensors", like=start(net, optimizer, key, x))

Every array is called by its path in the tree, such as `params/0/w`. The file holds numbers alone:
the structure is that of `like`, no code runs on loading, and names, shapes and dtypes are compared
before anything is read. It needs the extra `save`. Nothing here imports jax before it is used.
"""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

_NOTE = "jaxnn"  # the entry of the header


def save(path: str | Path, tree: Any, note: Mapping[str, str] | None = None) -> None:
    """Write a tree of arrays; random keys are written as their bits.

    The file appears whole or not at all, and what stood there before is then untouched. `note`, a
    few words about it, is what `read` returns beside the tree. Raises OSError where it cannot be
    written, ImportError without the package safetensors.
    """
    import jax

    writer = _safetensors("save").numpy
    # The writer copies memory as it lies, so a transposed array would come back scrambled. Not
    # np.ascontiguousarray: it gives an array of no dimension one.
    leaves = named(jax.device_get(_bits(tree)))
    tensors = {name: np.asarray(leaf, order="C") for name, leaf in leaves.items()}
    # One entry, because the writer puts several in an order that changes from process to process.
    entry = {_NOTE: json.dumps(note)} if note else None
    write_whole(Path(path), writer.save(tensors, metadata=entry))


def load(path: str | Path, like: Any) -> Any:
    """The tree that `save` wrote, with the structure of `like`, as arrays of JAX.

    `like` has the same shapes and dtypes: a tree of arrays, or of what `jax.eval_shape` returns.
    Raises FileNotFoundError if there is no such file, ValueError if it is not safetensors, or its
    names, shapes or dtypes are others, with a line for each; ImportError without safetensors.
    """
    import jax

    return jax.device_put(read(path, like)[0])


def read(path: str | Path, like: Any) -> tuple[Any, dict[str, str]]:
    """(tree, note) of a file: as `load`, with arrays of NumPy. Raises as `load`."""
    import jax

    safetensors = _safetensors("load")
    wanted = named(_bits(like, jax.eval_shape))
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            # The header first: nothing is read of a file that holds something else.
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            came = {name: _kind_of(part) for name, part in slices.items()}
            if differences := _differences(came, wanted):
                first = f"{path}: not the parameters of this network"
                raise ValueError("\n  ".join([first, *differences]))
            leaves = [file.get_tensor(name) for name in wanted]
            note = json.loads((file.metadata() or {}).get(_NOTE, "{}"))
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path}: not a safetensors file: {error}") from None
    tree = jax.tree.unflatten(jax.tree.structure(like), leaves)
    return jax.tree.map(_from_bits, tree, like), note


def named(tree: Any) -> dict[str, Any]:
    """The leaves by their path, in the order of the tree."""
    from jax.tree_util import keystr, tree_flatten_with_path

    leaves, _ = tree_flatten_with_path(tree)
    return {keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that appears whole or not at all, even if the power goes.

    Raises OSError where that is impossible; what stood there before is then untouched.
    """
    beside = path.with_name(f".{path.name}.part")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _safetensors(call: str) -> Any:
    try:
        import safetensors.numpy
    except ImportError:
        raise ImportError(
            f"jaxnn.{call}: expected the package safetensors, got none; install it with "
            "pip install 'jaxnn[save]'"
        ) from None
    return safetensors


def _is_key(leaf: Any) -> bool:
    import jax
    import jax.numpy as jnp

    return jnp.issubdtype(getattr(leaf, "dtype", float), jax.dtypes.prng_key)


def _bits(tree: Any, call: Callable[..., Any] = lambda data, key: data(key)) -> Any:
    """The tree with the bits of random keys in their place, or with what `call` says of these."""
    import jax

    data = jax.random.key_data
    return jax.tree.map(lambda leaf: call(data, leaf) if _is_key(leaf) else leaf, tree)


def _from_bits(leaf: Any, like: Any) -> Any:
    import jax

    if not _is_key(like):
        return leaf
    told = []  # a mere shape cannot be asked for its kind of key; what stands for it in a trace can
    jax.eval_shape(lambda key: told.append(jax.random.key_impl(key)), like)
    return jax.random.wrap_key_data(leaf, impl=told[0])


def _differences(found: Mapping[str, str], wanted: Mapping[str, Any]) -> list[str]:
    lines = []
    for name in sorted(found.keys() | wanted.keys()):
        came = found.get(name, "nothing")
        expected = _kind(wanted[name]) if name in wanted else "nothing"
        if came != expected:
            lines.append(f"{name}: the file has {came}, the network {expected}")
    return lines


_DTYPES = {"F": "float", "I": "int", "U": "uint", "BF": "bfloat"}  # F32 in the file is float32


def _kind_of(part: Any) -> str:
    name = part.get_dtype()
    letters = name.rstrip("0123456789")
    dtype = _DTYPES.get(letters, letters.lower()) + name[len(letters) :]
    return f"{dtype}{list(part.get_shape())}"


def _kind(leaf: Any) -> str:
    array = leaf if hasattr(leaf, "dtype") else np.asarray(leaf)
    return f"{np.dtype(array.dtype)}{list(array.shape)}"
