"""The networks of nnexp in PyTorch: the same weights, the same loss, its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from nnexp.network import activations, layers
from nnexp.network.layers.sequence import walk, within
from nnexp.network.network import Network


def loss_and_gradient(
    network: Network, theta: np.ndarray, x: np.ndarray, y: np.ndarray, training: bool
) -> tuple[float, np.ndarray, dict[str, np.ndarray]]:
    """Mean cross-entropy of flat inputs ``x (F, N)``, its gradient ``(P,)``, and running statistics after it."""
    layout = network.layout
    named = {name: torch.tensor(np.array(a), requires_grad=True) for name, a in layout.named(theta).items()}
    images = torch.tensor(np.moveaxis(x.reshape(*network.features, -1), -1, 0).copy())
    running: dict[str, np.ndarray] = {}
    out = sequence(network.layers, network.features, named, images, training, running, "")
    value = F.cross_entropy(out.flatten(1), torch.tensor(y))
    value.backward()
    gradient = {name: np.zeros(a.shape) if a.grad is None else a.grad.numpy() for name, a in named.items()}
    return value.item(), layout.join(gradient), running


def sequence(parts: Any, features: Any, named: Any, x: Any, training: bool, running: Any, prefix: str) -> Any:
    for name, layer, _ in walk(parts, features):
        x = apply(layer, within(named, name), x, training, running, f"{prefix}{name}/")
    return x


def apply(layer: Any, named: Any, x: Any, training: bool, running: Any, prefix: str) -> Any:
    match layer:
        case layers.Dense():
            return x.flatten(1) @ named["weights"].T + named["biases"]
        case layers.Conv2D():
            return F.conv2d(
                *(x, named["weights"], named["biases"], layer.stride),
                *(layer.padding, layer.dilation, layer.groups),
            )
        case layers.MaxPool():
            return F.max_pool2d(x, layer.size, layer.stride)
        case layers.AvgPool():
            return F.avg_pool2d(x, layer.size, layer.stride)
        case layers.GlobalAvgPool():
            return x.mean((2, 3))
        case layers.GlobalMaxPool():
            return x.amax((2, 3))
        case layers.Flatten():
            return x.flatten(1)
        case layers.BatchNorm():
            mean, variance = (named[f"running/{own}"].detach().clone() for own in ("mean", "variance"))
            x = F.batch_norm(
                *(x, mean, variance, named["gamma"], named["beta"]), training, layer.momentum, layer.eps
            )
            running |= {f"{prefix}running/mean": mean.numpy(), f"{prefix}running/variance": variance.numpy()}
            return x
        case layers.LayerNorm():
            flat = x.flatten(1)
            return F.layer_norm(flat, flat.shape[1:], named["gamma"], named["beta"], layer.eps).reshape(
                x.shape
            )
        case layers.Residual():
            features = tuple(x.shape[1:])
            beside = within(named, "shortcut")
            g = sequence(layer.shortcut, features, beside, x, training, running, f"{prefix}shortcut/")
            return sequence(layer.layers, features, named, x, training, running, prefix) + g
        case layers.Embedding():
            return named["vectors"][x.flatten(1).long()].movedim(-1, 1)[:, :, None]
        case layers.Dropout():
            return x
        case activations.LeakyReLU():
            return F.leaky_relu(x, layer.slope)
        case activations.ELU():
            return F.elu(x, layer.alpha)
        case activations.GELU():
            return F.gelu(x, approximate="tanh")
        case activations.Softmax():
            return x.softmax(1)
        case activations.Linear():
            return x
    return {
        "relu": F.relu,
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
        "silu": F.silu,
        "softplus": F.softplus,
    }[layer.name](x)
