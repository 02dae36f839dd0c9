"""What `workloads.process` measures: one process that trains one network, from start to end.

    python -m experiments.bench.one_process NAME < job

A job is JSON, see `Job`; x.npy (n, n_in) of bytes and y.npy (n,) lie in its folder. Each library
stands here as its user would write it, importing what it needs and nothing else, as a generator:
it yields once it has imported, then the mean objective after every epoch, or after a single step.
Each time the process notes what it has used by then; at the end it prints the notes as JSON.
"""

import itertools
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

RATE = 0.1


class Job(NamedTuple):
    """What to train: epochs of the data in `folder`, or the first mini-batch alone if `one_step`.
    With `as_bytes` the data stay bytes. `began` is the time before the process was started."""

    folder: str
    widths: list[int]
    batch: int
    epochs: int = 1
    one_step: bool = False
    as_bytes: bool = False
    began: float = 0.0

    def bytes(self) -> tuple[Any, Any]:
        """x (n, n_in) and y (n,) as they lie in the folder."""
        import numpy as np

        return tuple(np.load(Path(self.folder) / name) for name in ("x.npy", "y.npy"))

    def floats(self) -> tuple[Any, Any]:
        """The same with x as float32 in [0, 1], made without an array between."""
        import numpy as np

        x, y = self.bytes()
        return np.multiply(x, np.float32(1 / 255), dtype=np.float32), y

    def data(self) -> tuple[Any, Any]:
        """x and y on the device; nothing of them is left on the host."""
        import jax

        return jax.device_put(self.bytes() if self.as_bytes else self.floats())

    def orders(self, n: int) -> Iterator[Any]:
        """The order of the rows in every epoch."""
        import numpy as np

        for epoch in range(self.epochs):
            yield np.random.default_rng([0, epoch]).permutation(n).astype(np.int32)


def jaxnn(job: Job) -> Iterator[Any]:
    """Ours."""
    import jax

    import jaxnn as nn

    nn.train_epoch  # noqa: B018 - names are imported at first use
    yield None
    x, y = job.data()
    layers = [part for n in job.widths[1:-1] for part in (nn.Dense(n), nn.sigmoid)]
    bytes_first = (nn.Pixels(),) if job.as_bytes else ()
    net = nn.serial(*bytes_first, *layers, nn.Dense(job.widths[-1]))
    loss, optimizer = nn.softmax_cross_entropy, nn.SGD(RATE)
    state = nn.start(net, optimizer, jax.random.key(0), x)
    for order in job.orders(len(x)):
        if job.one_step:
            rows = order[: job.batch]
            state, value = nn.train_step(net, loss, optimizer, state, x[rows], y[rows])
        else:
            size = job.batch
            state, value = nn.train_epoch(net, loss, optimizer, state, x, y, order, batch_size=size)
        yield float(jax.block_until_ready((state, value))[1])


def by_autodiff(job: Job, by_jax: bool) -> Iterator[Any]:
    """`jax.grad` without us; `by_jax` draws the first weights by `jax.random`, else NumPy does."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    yield None
    key, rng = jax.random.key(0) if by_jax else None, np.random.default_rng(0)
    params: Any = []
    for n_in, n_out in itertools.pairwise(job.widths):
        if key is None:
            w = jnp.asarray(rng.normal(size=(n_in, n_out)).astype(np.float32))
        else:
            key, own = jax.random.split(key)
            w = jax.random.normal(own, (n_in, n_out))
        params.append((w * np.float32((2 / (n_in + n_out)) ** 0.5), jnp.zeros(n_out)))
    step, epoch = autodiff_programs(job)
    x, y = job.data()
    for order in job.orders(len(x)):
        if job.one_step:
            rows = order[: job.batch]
            params, value = step(params, x[rows], y[rows])
        else:
            params, value = epoch(params, x, y, order)
        yield float(jax.block_until_ready((params, value))[1])


def autodiff_programs(job: Job) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """A step of gradient descent, and an epoch of them in one program, as `jax.grad` makes them."""
    import jax
    import jax.numpy as jnp

    def objective(params: Any, x: Any, y: Any) -> Any:
        x = x.astype(jnp.float32) / 255 if job.as_bytes else x
        *hidden, (w, b) = params
        for w_l, b_l in hidden:
            x = jax.nn.sigmoid(x @ w_l + b_l)
        log_p = jax.nn.log_softmax(x @ w + b)
        return -(jax.nn.one_hot(y, log_p.shape[-1]) * log_p).sum(-1).mean()

    def step(params: Any, x: Any, y: Any) -> Any:
        value, grads = jax.value_and_grad(objective)(params, x, y)
        return jax.tree.map(lambda p, g: p - RATE * g, params, grads), value

    def epoch(params: Any, x: Any, y: Any, order: Any) -> Any:
        rows = order.reshape(-1, job.batch)
        params, values = jax.lax.scan(lambda p, i: step(p, x[i], y[i]), params, rows)
        return params, values.mean()

    return jax.jit(step), jax.jit(epoch, donate_argnums=0)


def torch(job: Job) -> Iterator[Any]:
    """Eager torch."""
    import torch  # pyright: ignore[reportMissingImports] - the extra `bench`

    yield None
    layers: list[Any] = []
    for n_in, n_out in itertools.pairwise(job.widths):
        layers += [torch.nn.Linear(n_in, n_out), torch.nn.Sigmoid()]
        torch.nn.init.xavier_uniform_(layers[-2].weight)
    net, loss = torch.nn.Sequential(*layers[:-1]), torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE)
    x, y = map(torch.from_numpy, job.floats())
    for order in job.orders(len(x)):
        rows, total = torch.from_numpy(order).long(), 0.0
        batches = rows.split(job.batch)[: 1 if job.one_step else None]
        for i in batches:
            optimizer.zero_grad()
            value = loss(net(x[i]), y[i].long())
            value.backward()
            optimizer.step()
            total += value.item() / len(batches)
        yield total


def sklearn(job: Job) -> Iterator[Any]:
    """scikit-learn."""
    import numpy as np
    from sklearn.neural_network import MLPClassifier

    yield None
    x, y = job.floats()
    net = MLPClassifier(
        tuple(job.widths[1:-1]),
        activation="logistic",
        solver="sgd",
        alpha=0.0,
        batch_size=job.batch,  # pyright: ignore[reportArgumentType] - its stub has str alone
        learning_rate_init=RATE,
        momentum=0.0,
        random_state=0,
    )
    if job.one_step:
        x, y = x[: job.batch], y[: job.batch]
    for _ in range(job.epochs):
        yield net.partial_fit(x, y, classes=np.arange(job.widths[-1])).loss_


LIBRARIES: dict[str, Callable[[Job], Iterator[Any]]] = {
    "jaxnn": jaxnn,
    "jax.random": lambda job: by_autodiff(job, by_jax=True),
    "numpy": lambda job: by_autodiff(job, by_jax=False),
    "torch": torch,
    "sklearn": sklearn,
}


def peak_mb() -> float:
    """The most memory this process has had resident."""
    try:  # getrusage counts what the parent had when it started us, where it forks
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6
    except (OSError, IndexError):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def main(name: str) -> None:
    """Do the job on standard input, and print the notes."""
    job, notes = Job(**json.load(sys.stdin)), []
    for value in LIBRARIES[name](job):
        wall, cpu = time.time() - job.began, time.process_time()
        notes.append({"wall": wall, "cpu": cpu, "peak MB": peak_mb(), "objective": value})
    print(json.dumps(notes))


if __name__ == "__main__":
    main(sys.argv[1])
