"""Strictness for every test, programs compiled in a hurry, and a cache of them for the next run."""

import importlib.metadata
import os
import pathlib
import tempfile
from collections.abc import Iterator

cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or tempfile.gettempdir()) / "jaxnn-tests"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
# The tests compile thousands of programs and run each on a handful of numbers. These flags of
# XLA:CPU compile seven times as fast what then runs slower. XLA_FLAGS="" tests what users run.
flags = (
    "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true "
    "--xla_cpu_parallel_codegen_split_count=1"
)
if importlib.metadata.version("jaxlib").startswith("0.10."):  # later ones do not know it, and abort
    flags += " --xla_cpu_use_fusion_emitters=false"
os.environ.setdefault("XLA_FLAGS", flags)
os.environ.setdefault("MPLCONFIGDIR", str(cache / "matplotlib"))  # its list of fonts

import jax  # noqa: E402 - reads the variables above
import pytest  # noqa: E402

jax.config.update("jax_numpy_dtype_promotion", "strict")


@pytest.fixture
def x64() -> Iterator[None]:
    """Float64 for one test: rules are judged where rounding cannot hide a mistake."""
    with jax.enable_x64(True):
        yield
