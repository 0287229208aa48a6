"""The same training in other libraries: PyTorch eager, and JAX compiled for many runs at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Worker = tuple[Callable[[], object], int]


def pytorch(hidden: int, data: Any, steps: int) -> dict[str, Worker]:
    """One run, eagerly, with loss and accuracy of each step read."""
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed: pip install 'nnexp[benchmarks]'")
        return {}
    torch.set_num_threads(1)
    x, y = torch.tensor(np.array(data.x).T), torch.tensor(np.array(data.y))

    def train() -> object:
        model = torch.nn.Sequential(torch.nn.Linear(2, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, 3))
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        rows = []
        for _ in range(steps):
            optimizer.zero_grad()
            z = model(x)
            loss = torch.nn.functional.cross_entropy(z, y)
            loss.backward()
            optimizer.step()
            rows.append((loss.item(), (z.argmax(1) == y).float().mean().item()))
        return rows

    return {"PyTorch eager, one run": (train, steps)}


def jax(hidden: int, data: Sequence[Any], steps: int) -> dict[str, Worker]:
    """``jit(vmap(scan))`` of runs with their own data and weights, compiled before."""
    try:
        import jax
        import jax.numpy as jnp
    except ImportError:
        print("JAX is not installed: pip install 'nnexp[benchmarks]'")
        return {}

    def rows(theta: Any, x: Any, y: Any) -> Any:
        z = jax.nn.relu(x @ theta[0] + theta[1]) @ theta[2] + theta[3]
        loss = -jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], 1).mean()
        return loss, (z.argmax(1) == y).mean()

    def columns(theta: Any, x: Any, y: Any) -> Any:
        z = theta[2].T @ jax.nn.relu(theta[0].T @ x + theta[1][:, None]) + theta[3][:, None]
        hot = jnp.arange(3)[:, None] == y
        return -(jax.nn.log_softmax(z, axis=0) * hot).sum(0).mean(), (z.argmax(0) == y).mean()

    def training(measure: Any) -> Any:
        def train(theta: Any, x: Any, y: Any) -> Any:
            def step(theta: Any, _: None) -> Any:
                seen, gradient = jax.value_and_grad(measure, has_aux=True)(theta, x, y)
                return jax.tree.map(lambda p, g: p - 1.0 * g, theta, gradient), seen

            return jax.lax.scan(step, theta, None, length=steps)

        return jax.jit(jax.vmap(train))

    def initial(key: Any) -> Any:
        one, two = jax.random.split(key)
        shapes = ((2, hidden), (hidden, 3))
        first, second = (
            0.01 * jax.random.normal(k, shape) for k, shape in zip((one, two), shapes, strict=True)
        )
        return first, jnp.zeros(hidden), second, jnp.zeros(3)

    theta = jax.vmap(initial)(jax.random.split(jax.random.key(0), len(data)))
    x, y = np.stack([own.x for own in data]), np.stack([own.y for own in data])
    workers = {}
    for name, measure, inputs in (("rows", rows, x.swapaxes(1, 2).copy()), ("columns", columns, x)):
        compiled = training(measure).lower(theta, inputs, y).compile()

        def train(compiled: Any = compiled, inputs: Any = inputs) -> object:
            return jax.block_until_ready(compiled(theta, inputs, y))

        workers[f"JAX, samples in {name}, {len(data)} runs"] = (train, steps * len(data))
    return workers
