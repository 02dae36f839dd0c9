"""Saving and loading: by path, bit by bit, and what does not fit is refused all at once."""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn.saving import read

PARAMS = (
    {"weight": np.arange(12, dtype=np.float32).reshape(3, 4).T, "bias": jnp.zeros(3)},
    (),
    [np.arange(10, dtype=np.int32)[::-2], np.float32(7)],
)


def test_parameters_come_back_whatever_their_layout(tmp_path: Path):
    path = tmp_path / "parameters.safetensors"
    nn.save(path, PARAMS)
    loaded = nn.load(path, PARAMS)
    np.testing.assert_array_equal(loaded[0]["weight"], PARAMS[0]["weight"])
    np.testing.assert_array_equal(loaded[0]["bias"], PARAMS[0]["bias"])
    assert loaded[1] == ()
    np.testing.assert_array_equal(loaded[2][0], [9, 7, 5, 3, 1])
    assert (loaded[2][1].shape, float(loaded[2][1])) == ((), 7.0)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_parameters_are_named_by_their_path(tmp_path: Path):
    from safetensors.numpy import load_file

    path = tmp_path / "parameters.safetensors"
    nn.save(path, PARAMS)
    assert sorted(load_file(path)) == ["0/bias", "0/weight", "2/0", "2/1"]


def test_parameters_of_another_network_are_refused_with_every_difference(tmp_path: Path):
    path = tmp_path / "parameters.safetensors"
    nn.save(path, {"a": jnp.zeros((2, 3)), "b": jnp.zeros(2), "same": jnp.ones(1)})
    like = {"a": jnp.zeros((3, 2)), "b": jnp.zeros(2, int), "c": jnp.zeros(1), "same": jnp.ones(1)}
    with pytest.raises(ValueError, match="not the parameters of this network") as caught:
        nn.load(path, like)
    assert str(caught.value).splitlines()[1:] == [
        "  a: the file has float32[2, 3], the network float32[3, 2]",
        "  b: the file has float32[2], the network int32[2]",
        "  c: the file has nothing, the network float32[1]",
    ]


def test_a_file_that_holds_no_parameters_is_refused(tmp_path: Path):
    path = tmp_path / "parameters.safetensors"
    path.write_text("nothing of the kind", encoding="utf-8")
    with pytest.raises(ValueError, match="not a safetensors file"):
        nn.load(path, PARAMS)
    with pytest.raises(FileNotFoundError, match=r"missing\.safetensors"):
        nn.load(tmp_path / "missing.safetensors", PARAMS)


def test_a_state_comes_back_and_training_goes_on_from_it(tmp_path: Path):
    net, optimizer, path = (
        nn.serial(nn.Dense(4), nn.relu, nn.Dense(2)),
        nn.Adam(0.1),
        tmp_path / "s",
    )
    x, y = jax.random.normal(jax.random.key(1), (8, 3)), jnp.arange(8) % 2
    first = nn.start(net, optimizer, jax.random.key(0), x)
    state, _ = nn.train_step(net, nn.softmax_cross_entropy, optimizer, first, x, y)
    nn.save(path, state)
    like = jax.eval_shape(lambda: nn.start(net, optimizer, jax.random.key(0), x))
    found = nn.load(path, like)
    assert jax.tree.structure(found) == jax.tree.structure(state)
    for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(state), strict=True):
        assert isinstance(ours, jax.Array)
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("impl", ["threefry2x32", "rbg"])
def test_random_keys_come_back_as_keys(tmp_path: Path, impl: str):
    key = jax.random.key(5, impl=impl)
    tree = {"one": key, "three": jax.random.split(key, 3)}
    nn.save(tmp_path / "keys", tree)
    found = nn.load(tmp_path / "keys", jax.eval_shape(lambda tree: tree, tree))
    for name, keys in tree.items():
        assert found[name].dtype == keys.dtype
        np.testing.assert_array_equal(jax.random.key_data(found[name]), jax.random.key_data(keys))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.int8, jnp.uint32, bool])
def test_every_dtype_comes_back(tmp_path: Path, dtype):
    tree = [jnp.arange(6).reshape(2, 3).astype(dtype), jnp.ones((), dtype)]
    nn.save(tmp_path / "t", tree)
    found = nn.load(tmp_path / "t", tree)
    assert [a.dtype for a in found] == [jnp.dtype(dtype)] * 2
    np.testing.assert_array_equal(found[0], tree[0])


def test_a_note_comes_back_beside_the_tree(tmp_path: Path):
    nn.save(tmp_path / "t", {"a": np.float32(1)}, {"made": "by hand"})
    tree, note = read(tmp_path / "t", {"a": np.float32(0)})
    assert (tree, note) == ({"a": 1}, {"made": "by hand"})
    nn.save(tmp_path / "t", {"a": np.float32(2)})
    assert read(tmp_path / "t", {"a": np.float32(0)})[1] == {}


def test_what_cannot_be_written_leaves_the_old_file(tmp_path: Path):
    nn.save(tmp_path / "t", {"a": jnp.ones(2)})
    with pytest.raises(OSError, match="missing"):
        nn.save(tmp_path / "missing" / "t", {"a": jnp.zeros(2)})
    with pytest.raises(Exception, match=r"object|dtype"):
        nn.save(tmp_path / "t", {"a": np.array([object()])})
    assert nn.load(tmp_path / "t", {"a": jnp.zeros(2)})["a"].tolist() == [1, 1]
    assert [entry.name for entry in tmp_path.iterdir()] == ["t"]


def test_without_safetensors_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(ImportError, match=r"jaxnn.save: .* pip install 'jaxnn\[save\]'"):
        nn.save(tmp_path / "t", {})
    with pytest.raises(ImportError, match=r"jaxnn.load: .* pip install 'jaxnn\[save\]'"):
        nn.load(tmp_path / "t", {})
