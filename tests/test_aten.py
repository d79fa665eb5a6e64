"""What is written with PyTorch's core operations gives PyTorch's own values and gradients."""

import pytest

from torch_checker import Function, compare, nn, normal, torch

F = nn.functional

ACTIVATIONS = [
    *(nn.ReLU(), nn.ReLU6(), nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.ELU(0.7), nn.SELU(), nn.CELU(0.6)),
    *(nn.LeakyReLU(0.1), nn.RReLU(), nn.Softplus(2.0), nn.Mish(), nn.Hardtanh(-0.5, 0.7), nn.Hardswish()),
    *(nn.Hardsigmoid(), nn.Sigmoid(), nn.LogSigmoid(), nn.Tanh(), nn.Softmax(-1), nn.LogSoftmax(-1), nn.Softmin(-1)),
    *(nn.Softsign(), nn.Tanhshrink(), nn.Hardshrink(), nn.Softshrink(), nn.Threshold(0.1, 2.0), nn.GLU(-1)),
]
FUNCTIONS = {
    "numbers": {
        "arithmetic": lambda x: (
            torch.addcmul(x, x, x.cos(), value=0.5) / (x.abs() + 1) - x.pow(3) + 2**x + (1 - x).atan()
        ),
        "powers": lambda x: x.abs().add(0.1).sqrt() * x.abs().add(1).rsqrt() + x.square() + x.exp().log1p() + x.erf(),
        "rounding": lambda x: (
            torch.div(x, 0.3, rounding_mode="floor") + x.trunc() + x.round() + x % 0.7 + torch.fmod(x, 0.7)
        ),
        "choices": lambda x: (
            torch.where(x > 0.5, x, 0.1).masked_fill(x < -1, 3.0) + x.clamp(min=-0.5).clamp(max=x.mean())
        ),
        "logic": lambda x: ((x > 0) & ~(x > 1) | (x < -1)).float() + torch.logical_xor(x > 0, x < 1) + x.isnan() * x,
    },
    "more numbers": {
        "circular": lambda x: x.sin() + x.tan() + (x / 9).asin() + (x / 9).acos() + torch.atan2(x, 1 - x),
        "hyperbolic": lambda x: x.sinh() + x.cosh() + x.asinh() + (x.abs() + 2).acosh() + (x / 9).atanh(),
        "logarithms": lambda x: x.abs().log() + (x.abs() + 1).log2() - (x.abs() + 1).log10() + x.exp2() + x.expm1(),
        "whole": lambda x: x.floor() + x.ceil() * 2 + (x.detach() // 0.4) * x + x.clamp_max(0.3) + x.reciprocal(),
        "between": lambda x: (
            torch.lerp(x, x.cos(), 0.3) + torch.addcdiv(x, x, x.abs() + 1, value=2) + x.nan_to_num(1.0)
        ),
        "tests": lambda x: ((x == x.round()) | (x != 0) ^ (x >= 1)).logical_not().float() + torch.isinf(x) * x,
        "both": lambda x: (
            torch.logical_and(x > 0, x < 1) * x + torch.logical_or(x > 1, x < 0) * x + torch.minimum(x, -x)
        ),
        "softmax": lambda x: torch._softmax(x, 1, False) + torch._log_softmax(x, 2, False),
    },
    "sums along axes": {
        "reductions": lambda x: (
            x.sum((0, 2)) + x.mean() + x.var(1).sum() + x.std((0, 2), correction=0) + x.prod(1).sum()
        ),
        "extremes": lambda x: x.max(1)[0] + x.amin(1, keepdim=True).squeeze(1) + x.min() + torch.maximum(x, -x).max(),
        "places": lambda x: (x.argmax(1), x.min(2)[1], x.sort(1, descending=True)[0], x.topk(2, -1, largest=False)),
        "norms": lambda x: x.norm(dim=-1) + x.norm(p=1, dim=-1) + x.norm(p=3, dim=-1) + F.normalize(x, dim=1).sum(-1),
        "sums": lambda x: x.logsumexp((1, 2), keepdim=True) + x.cumsum(1) + torch.cumsum(x.flip(1), -1),
        "more": lambda x: (
            x.amax((1, 2)) + x.cumprod(2).sum() + x.prod() + torch.var_mean(x, 1)[0].sum() + x.argmin() * x.max()
        ),
        "other": lambda x: torch.max(x, x * 2) - torch.min(x, x * x),
        "tests": lambda x: torch.stack([(x > 0).any(1), (x > -9).all(1)]).float().sum() + x,
    },
    "products": {
        "products": lambda x: x @ x.mT + torch.einsum("nij,nkj->nik", x, x) + torch.bmm(x, x.transpose(1, 2)),
        "affine": lambda x: (
            torch.baddbmm(x[:, :, :1], x, x.mT, beta=0.5, alpha=2) + torch.addmm(x[0, :, :1], x[0], x[1].T)
        ),
    },
    "vectors": {
        "matrix": lambda x: (
            torch.mm(x[0], x[1].T) @ x[0] + torch.mv(x[0], x[1, 0])[:, None] + torch.dot(x[0, 0], x[1, 1])
        ),
        "affine": lambda x: torch.addmv(x[0, :, 0], x[0], x[1, 1]),
    },
    "resized": {
        "line": lambda x: torch.cat([F.interpolate(x, 7), F.interpolate(x, scale_factor=1.7, mode="linear")], -1),
        "volume": lambda x: (
            F.interpolate(x[None, None], (3, 2, 6))
            + F.interpolate(x[None, None], (3, 2, 6), mode="trilinear", align_corners=True)
        ),
        "parts": lambda x: (
            F.adaptive_avg_pool3d(x[None, None], (1, 2, 3)) + F.adaptive_max_pool3d(x[None, None], (1, 2, 3))
        ),
        "largest": lambda x: F.max_pool3d(x[None, None], (1, 2, 3)) + torch.constant_pad_nd(x, (1, -4), 2.0)[:, 1:],
    },
    "shapes": {
        "views": lambda x: x.permute(2, 0, 1).reshape(-1, 3).unflatten(0, (5, -1)).unsqueeze(1).expand(5, 2, -1, 3),
        "parts": lambda x: torch.cat(
            [*x.split(2, 2), *x.chunk(2, 2), *x.split([1, 4], 2), torch.stack(x.unbind(2), 2)], 2
        ),
        "slices": lambda x: (
            x[:, 1:, ::2].sum()
            + x[:, -9:2, 1:4] * x[..., 0:1, -1:]
            + x.select(2, 1)[:, :1, None]
            + x[:, [0, 2]][:, :, [1, 1, 0]]
        ),
        "moves": lambda x: (
            x.roll(1, 2).tril(1) + x.triu() + x.repeat(1, 2, 1)[:, :3] + x.repeat_interleave(2, 1)[:, 1:4]
        ),
        "lookups": lambda x: (
            x.gather(2, torch.tensor([[[0, 3, 1]]]).expand(2, 2, -1)).sum() + x.index_select(1, torch.tensor([2, 0, 0]))
        ),
        "writing": lambda x: (
            _written(x)
            + x.scatter(1, torch.tensor([[[1, 2]]]), x[:1, :1, 3:])
            + x.scatter_add(2, torch.tensor([[[1, 1]]]), x[:1, :1, :2])
        ),
        "made": lambda x: (
            x
            + torch.arange(5)
            + torch.zeros_like(x)
            + torch.full((3, 1), 2.0)
            + x.new_ones(5)
            + torch.eye(3, 5)
            + torch.eye(3)[:, :1]
        ),
        "one-hot": lambda x: F.one_hot((x > 0).long(), 3).float() * x[..., None],
        "causal": lambda x: (
            F.scaled_dot_product_attention(x, x, x, is_causal=True, scale=0.3)
            + F.scaled_dot_product_attention(x, x, x, torch.ones(3, 3).tril().bool())
        ),
        "detached": lambda x: x.detach() * x + x.double().float() + _still(x) * x,
        "filled": lambda x: (
            torch.ops.aten.alias(x)
            + x.new_full((5,), 2.0)
            + torch.full_like(x, 3.0)
            + torch.ones_like(x)
            + x.new_zeros(3, 1)
        ),
        "more writing": lambda x: (
            x.scatter(2, torch.tensor([[[1, 3]]]), 5.0)
            + x.index_put((torch.tensor([0, 1]), torch.tensor([2, 1])), x[:, 0])
        ),
        "detached alone": lambda x: _still(x),
        "similar": lambda x: F.cosine_similarity(x[:, :1], x, dim=2) + F.pairwise_distance(x, x.flip(1)),
    },
}
"""Functions that are written with many operations, in groups that are compared at once."""


def _still(x):
    with torch.no_grad():
        y, z = (x * 2).cos().split([2, 3], -1)
        return torch.cat([z, y], -1)


def _written(x):
    y = x.clone()
    y[:, 1] = x[:, 0] * 2
    y[:, :, 2:4] += 1
    y[:, :, 0] = 0
    return y


def test_activations_are_those_of_pytorch():
    compare(Function(lambda x: [f.eval()(x) for f in ACTIVATIONS]), normal(5, 6))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_those_of_pytorch(name):
    compare(Function(lambda x: {key: f(x) for key, f in FUNCTIONS[name].items()}), normal(2, 3, 5))
