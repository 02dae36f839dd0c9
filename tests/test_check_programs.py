"""How JAX writes programs down: both ways that are known, and what becomes of one that is not."""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxnn
from jaxnn.check import check_vjp, complex_step_jvp, kink_distance
from jaxnn.check.numeric import programs
from jaxnn.check.numeric.complex_rules import NotAnalytic
from jaxnn.check.numeric.programs import Call, Cond, Scan, While, held, parameters, trace

X = jnp.array([0.9, -1.3, 0.25, 2.0])


def scanned(x):
    return lax.scan(lambda c, a: (c + 0 * x[0], jnp.abs(a)), 1.0, x, reverse=True)[1]


def looped(x):
    low = x.min()
    return lax.while_loop(lambda c: c.sum() < 9 + low, lambda c: c + jnp.abs(x) - low, x)


def branched(x):
    return lax.cond(x[0] > 0, jnp.abs, jnp.sin, x)


def only(f, name):
    """The equation of f that is of the primitive `name`."""
    (eqn,) = (e for e in trace(f, (X,))[0].jaxpr.eqns if e.primitive.name == name)
    return eqn


def test_loops_and_conditionals_are_read():
    scan = held(only(scanned, "scan"))
    assert isinstance(scan, Scan)
    assert scan[1:] == (4, True, 1, 1)
    loop = held(only(looped, "while"))
    assert isinstance(loop, While)
    assert (loop.n_test, loop.n_body) == (1, 2)
    assert len(loop.body.jaxpr.invars) == 3
    cond = held(only(branched, "cond"))
    assert isinstance(cond, Cond)
    assert len(cond.branches) == 2
    assert held(only(jnp.tanh, "tanh")) is None


@jax.custom_vjp
def by_hand(x):
    return jnp.abs(x)


by_hand.defvjp(lambda x: (by_hand(x), x), lambda x, dy: (jnp.sign(x) * dy,))


@pytest.mark.parametrize(
    "f",
    [
        jax.jit(jnp.abs),
        jax.checkpoint(jnp.abs),
        jax.nn.softplus,
        by_hand,
        lambda x: jax.jit(jnp.abs).trace(X)(x),
    ],
    ids=["jit", "remat", "custom_jvp", "custom_vjp", "traced"],
)
def test_every_call_is_read(f):
    for eqn in trace(f, (X,))[0].jaxpr.eqns:
        assert isinstance(held(eqn), Call) or not programs.inner(eqn)


class Size:
    """Stands for a part of the tree in which JAX 0.11 and later keep the sizes of a scan."""

    def __init__(self, *sizes):
        self.sizes = sizes

    def unpack(self):
        return [range(size) for size in self.sizes]


@pytest.mark.parametrize(
    "sizes", [{"num_consts": 2, "num_carry": 3}, {"ft_in": Size(2, 3, 1)}], ids=["0.10", "0.11"]
)
def test_both_ways_to_write_a_scan_are_known(sizes):
    program = trace(jnp.tanh, (X,))[0]
    params = programs.Parameters(jaxpr=program, length=4, reverse=False, **sizes)
    assert programs.HOLDERS["scan"](params) == Scan(program, 4, False, 2, 3)


HOLDERS = [
    (scanned, "scan"),
    (looped, "while"),
    (branched, "cond"),
    (jax.jit(jnp.abs), "jit"),
    (by_hand, "custom_vjp_call"),
]


@pytest.fixture
def unknown(monkeypatch):
    """A JAX whose parameters all bear other names than the ones that are known."""

    class Renamed(programs.Parameters):
        def __init__(self, params):
            super().__init__({f"new_{name}": value for name, value in params.items()})

    monkeypatch.setattr(programs, "Parameters", Renamed)


@pytest.mark.usefixtures("unknown")
@pytest.mark.parametrize(("f", "name"), HOLDERS, ids=[name for _, name in HOLDERS])
def test_what_is_not_known_runs_as_a_whole(f, name):
    assert held(only(f, name)) is None
    sites = [site for site in kink_distance(f, X).sites if site.primitive == name]
    assert [(site.distance, site.unseen) for site in sites] == [(0.0, programs.version())]


@pytest.mark.usefixtures("unknown")
@pytest.mark.parametrize(("f", "name"), [HOLDERS[0], *HOLDERS[2:4]], ids=["scan", "cond", "jit"])
def test_a_report_says_what_was_not_looked_into(f, name):
    report = check_vjp(f, lambda args, dy: jax.vjp(f, *args)[1](dy), (X,), seeds=1)
    assert report.ok, report
    (note,) = (note.text for note in report.findings if "looked into" in note.text)
    assert note.startswith(f"the {name} in ")
    assert note.endswith(f"was not looked into: {programs.version()}")
    assert note[:60] in str(report)


@pytest.mark.usefixtures("unknown")
def test_a_measure_without_its_parameters_is_not_taken():
    (site,) = kink_distance(lax.sort, X).sites
    assert (site.primitive, site.distance, site.unseen) == ("sort", 0.0, programs.version())


@pytest.mark.usefixtures("unknown")
@pytest.mark.parametrize("f", [scanned, jnp.max, jax.jit(jnp.sin)], ids=["scan", "max", "jit"])
def test_the_complex_step_refuses_by_name_what_it_does_not_know(f):
    with pytest.raises(NotAnalytic, match=r"scan|jit|reduce_max with no parameter 'axes'"):
        complex_step_jvp(f, (np.asarray(X, np.float64),), (np.ones(4),))


@pytest.mark.usefixtures("unknown")
def test_a_rule_that_cannot_be_reached_is_no_judge_of_itself():
    report = check_vjp(by_hand, lambda args, dy: (jnp.sign(args[0]) * dy,), (X,), seeds=1)
    assert report.oracle == "central differences in float64"
    assert "1 jax.custom_vjp rule that cannot be taken off" in str(report)
    assert report.ok


def test_a_parameter_that_is_not_there_is_named_with_the_versions():
    with pytest.raises(programs.NotKnown, match=r"'axes': this is jax .*, known are 0\.10, 0\.11"):
        parameters(only(jnp.tanh, "tanh"))["axes"]


def test_the_pages_name_the_versions_that_are_known():
    root = pathlib.Path(jaxnn.__file__).parent
    first, last = programs.KNOWN[0], programs.KNOWN[-1]
    assert f"versions {first} to {last}" in (root / "check/README.md").read_text()
    assert f'"jax>={first}"' in (root.parent / "pyproject.toml").read_text()
