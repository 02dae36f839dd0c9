"""Products that refuse operands that do not fit: nothing is broadcast behind the back of the notes.

Neurons are column vectors, stored as arrays (n,); a batch is (n, examples), a weight matrix
(n_out, n_in), as in all five notes.
"""

import numpy as np


class Misfit(Exception):
    """An equation whose shapes do not fit; the message gives the shapes."""


def contract(indices: str, *operands: np.ndarray) -> np.ndarray:
    """The sum over repeated letters, as `np.einsum`, each letter of one size throughout.

    Raises Misfit where a letter would have two sizes, or an operand another number of axes.
    """
    sizes: dict[str, int] = {}
    names = indices.split("->")[0].split(",")
    for name, operand in zip(names, operands, strict=True):
        fits = len(name) == operand.ndim and all(
            sizes.setdefault(letter, size) == size
            for letter, size in zip(name, operand.shape, strict=True)
        )
        if not fits:
            shapes = (f"{n} {o.shape}" for n, o in zip(names, operands, strict=True))
            raise Misfit(", ".join(shapes))
    return np.einsum(indices, *operands)


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The matrix product a b. Raises Misfit where the inner sizes differ."""
    if a.shape[-1] != b.shape[0]:
        raise Misfit(f"{a.shape} . {b.shape}")
    return a @ b


def entrywise(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The product of matching entries. Raises Misfit where the shapes differ."""
    if a.shape != b.shape:
        raise Misfit(f"{a.shape} times {b.shape}, entry by entry")
    return a * b


def plus(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The sum of matching entries. Raises Misfit where the shapes differ."""
    if a.shape != b.shape:
        raise Misfit(f"{a.shape} + {b.shape}")
    return a + b


def outer(d: np.ndarray, a: np.ndarray) -> np.ndarray:
    """d aᵀ, a column times a row: (n_out,) and (n_in,) make (n_out, n_in)."""
    return contract("i,j->ij", d, a)


def sigma(z: np.ndarray) -> np.ndarray:
    """σ(z) = 1 / (1 + e^-z), entry by entry."""
    return 1 / (1 + np.exp(-z))


def slope(z: np.ndarray) -> np.ndarray:
    """σ'(z) = σ(z) (1 - σ(z)), entry by entry."""
    return sigma(z) * (1 - sigma(z))


def normalised(e: np.ndarray) -> np.ndarray:
    """e / Σ e over the first axis: the last step of a softmax."""
    return e / e.sum(0)
