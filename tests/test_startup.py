"""What happens before anything trains: imports, draws, and the cache of compiled programs."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn.fast import draws

ROOT = Path(__file__).parent.parent
KEY = jax.random.key(3)
DTYPES = [jnp.float32, jnp.float64]
SHAPES = [(), (0,), (3, 5), (260, 257)]  # the last takes more than one chunk


def python(code: str, **environment: str) -> str:
    """What a fresh interpreter prints, with some variables of the environment changed."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("JAX")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**given, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_show_answers_without_jax():
    code = "import sys; from experiments.__main__ import main; main(['show', 'digits'])"
    shown = python(
        f"{code}; print(sorted({{'jax', 'numpy', 'rich', 'sklearn'}} & {{*sys.modules}}))"
    )
    assert 'name = "digits"' in shown
    assert shown.endswith("[]\n")


def same(ours, theirs):
    return ours.dtype == theirs.dtype and np.array_equal(ours, theirs)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.usefixtures("x64")
def test_normal_and_uniform_draw_the_numbers_of_jax(dtype, shape):
    expected = 0.1 + 0.3 * jax.random.normal(KEY, shape, dtype)
    assert same(draws.normal(KEY, shape, dtype, 0.1, 0.3), expected)
    expected = jax.random.uniform(KEY, shape, dtype, -0.3, 0.6)
    assert same(draws.uniform(KEY, shape, dtype, -0.3, 0.6), expected)
    assert same(draws.full(KEY, shape, dtype, 0.3), jnp.full(shape, 0.3, dtype))


def test_a_traced_key_draws_the_same_numbers():
    drawn = draws.normal(KEY, (3, 5), jnp.float32, 0.0, 1.0)
    assert same(jax.jit(lambda k: draws.normal(k, (3, 5), jnp.float32, 0.0, 1.0))(KEY), drawn)
    jaxpr = jax.make_jaxpr(lambda: draws.normal(KEY, (3, 5), jnp.float32, 0.0, 1.0))()
    assert "erf_inv" in str(jaxpr)  # a key from outside does not become a constant of the program


@pytest.mark.parametrize("other", ["rbg", "raw", "original"])
def test_other_keys_draw_the_numbers_of_jax(other):
    kinds = {"rbg": lambda: jax.random.key(3, impl="rbg"), "raw": lambda: jax.random.PRNGKey(3)}
    with jax.threefry_partitionable(other != "original"):
        key = kinds.get(other, lambda: KEY)()
        expected = jax.random.uniform(key, (3, 5), jnp.float32, 0.0, 1.0)
        assert same(draws.uniform(key, (3, 5), jnp.float32, 0.0, 1.0), expected)
        expected = jax.random.key_data(jnp.stack(draws.split(key, 3)))
        assert same(jax.random.key_data(jax.random.split(key, 3)), expected)


def test_keys_split_and_fold_as_those_of_jax():
    ours, theirs = draws.split(KEY, 5), jax.random.split(KEY, 5)
    assert same(jax.random.key_data(jnp.stack(ours)), jax.random.key_data(theirs))
    for number in (0, 1, 2**32 - 1):
        ours, theirs = draws.fold_in(KEY, number), jax.random.fold_in(KEY, number)
        assert same(jax.random.key_data(ours), jax.random.key_data(theirs))


COUNT = """
import jax, jaxnn as nn
compiled = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, seconds, **_: compiled.append(event) if event.endswith("backend_compile_duration")
    else None)
key = jax.random.key(0)
counts = [len(compiled)]
x = jax.ShapeDtypeStruct((2, 8, 8), "float32")
for sizes in ((7, 5), (11, 13, 3)):
    he = nn.initializers.he
    layers = [layer for n in sizes for layer in (nn.Dense(n, w_init=he), nn.Dense(n))]
    nn.serial(nn.Flatten(), *layers).init(key, x)
    counts.append(len(compiled))
print(counts)
"""


def test_one_program_draws_for_all_shapes():
    """Beside the key's, two are compiled: for normal and for uniform numbers."""
    first, second, third = eval(python(COUNT))
    assert first > 0  # the listener hears
    assert (second - first, third - second) == (2, 0)


def test_numbers_beyond_a_limit_are_left_to_jax(monkeypatch):
    monkeypatch.setattr(draws, "_LIMIT", 14)
    monkeypatch.setattr(draws, "_draw", lambda *_: pytest.fail("drawn here"))
    expected = jax.random.normal(KEY, (3, 5), jnp.float32)
    assert same(draws.normal(KEY, (3, 5), jnp.float32, 0.0, 1.0), expected)


def test_initialisers_with_traced_numbers_still_vmap():
    std = jnp.array([0.5, 2.0])
    drawn = jax.vmap(lambda s: nn.initializers.normal(s)(KEY, (3,), jnp.float32))(std)
    assert same(drawn, std[:, None] * jax.random.normal(KEY, (3,)))


ENABLE = """
import jax, numpy
from experiments.common import compile_cache
print(compile_cache.enable())
jax.jit(lambda x: x + 1)(numpy.float32(1))
"""


def entries(folder: Path) -> list[str]:
    return sorted(path.name.split("-")[0] for path in folder.glob("**/*-cache"))


def test_the_application_keeps_programs_in_the_users_cache(tmp_path):
    printed = python(ENABLE, XDG_CACHE_HOME=str(tmp_path))
    assert printed == f"{tmp_path / 'jaxnn' / 'jit'}\n"
    assert entries(tmp_path / "jaxnn" / "jit") == ["jit__lambda"]


def test_the_library_keeps_no_programs(tmp_path):
    python(
        "import jax, jaxnn as nn; nn.Dense(3).init(jax.random.key(0), jax.numpy.ones((2, 5)))",
        XDG_CACHE_HOME=str(tmp_path),
        HOME=str(tmp_path),
    )
    assert list(tmp_path.iterdir()) == []


FOLDERS = """
import os
os.environ["JAX_COMPILATION_CACHE_DIR"] = "theirs"
from experiments.common import compile_cache
os.environ["JAXNN_COMPILE_CACHE"] = "off"
print(compile_cache.folder(), compile_cache.enable())
os.environ["JAXNN_COMPILE_CACHE"] = "~/ours"
print(compile_cache.folder())
os.environ["JAXNN_COMPILE_CACHE"] = ""
print(compile_cache.folder())
os.environ["JAXNN_COMPILE_CACHE"] = "file/below"
open("file", "w").close()
print(compile_cache.enable())
"""


def test_the_environment_chooses_the_folder(tmp_path):
    code = f"import os; os.chdir({str(tmp_path)!r})\n{FOLDERS}"
    chosen = python(code, HOME=str(tmp_path), PYTHONPATH=str(ROOT)).splitlines()
    assert chosen == ["None None", f"{tmp_path}/ours", "theirs", "None"]


def test_a_cache_that_grew_too_large_loses_what_is_oldest(tmp_path):
    from experiments.common.compile_cache import shrink

    for age, name in enumerate(["new-cache", "middle-cache", "old-cache", "other"]):
        (tmp_path / name).write_bytes(bytes(10))
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    shrink(tmp_path, limit=30)
    assert len(list(tmp_path.iterdir())) == 4
    shrink(tmp_path, limit=29)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new-cache", "other"]
