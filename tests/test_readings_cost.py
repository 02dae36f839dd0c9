"""What readings cost: the bars on memory, which is exact; times are measured by the benchmark."""

import jax
import pytest

from experiments.bench_readings import (
    beside_the_gradient,
    beside_vmap,
    inputs,
    measure,
    show,
    temporary,
)


def memory(program, batch):
    return temporary(jax.jit(program.function).lower(*inputs(batch)).compile())


def test_norms_and_clipping_need_hardly_more_memory_than_the_gradient():
    programs = {program.name: program for program in beside_the_gradient()}
    plain = memory(programs["gradient"], 256)
    assert 0 < plain <= memory(programs["jax.grad"], 256)
    assert memory(programs["gradient, squared norms"], 256) <= 1.1 * plain
    assert memory(programs["clipped"], 256) <= 1.5 * plain


@pytest.mark.parametrize("kind", ["norms", "clipped"])
def test_they_need_a_small_part_of_what_gradients_of_examples_need(kind):
    ours, formed = beside_vmap()[kind]
    assert memory(formed, 64) >= 300 * memory(ours, 64) > 0


def test_the_benchmark_prints_a_table(capsys):
    programs = beside_the_gradient()[:3]
    show("a title", measure(programs, 2, 1))
    printed = capsys.readouterr().out
    assert "a title" in printed
    assert all(program.name in printed for program in programs)
