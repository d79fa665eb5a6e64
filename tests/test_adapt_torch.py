"""PyTorch modules become functions of their parameters that give PyTorch's own values and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule import adapt
from chainrule.errors import DesignError, ShapeError
from chainrule.trace.program import place, program

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
nn, F = torch.nn, torch.nn.functional

QUICK = {"xla_llvm_disable_expensive_passes": True}
"""Programs that run once are compiled without polish."""


class Function(nn.Module):
    """A function of tensors, as a module without parameters."""

    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, x):
        return self.f(x)


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding="same", bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        y = self.relu(self.norm1(self.conv1(x)))
        return self.relu(x + self.norm2(self.conv2(y)))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x):
        values, weights = self.attention(x, x, x)
        return {"values": values, "weights": weights}


class Recurrent(nn.Module):
    def __init__(self, layer, **settings):
        super().__init__()
        self.layer = layer(3, 5, **settings)

    def forward(self, x):
        return self.layer(x)


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerDecoderLayer(8, 2, 16, batch_first=True)

    def forward(self, x, memory):
        mask = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        return self.layer(x, memory, tgt_mask=mask)


class Tied(nn.Module):
    """One table both reads words and scores them."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(7, 4, padding_idx=0)
        self.register_buffer("scale", torch.tensor([1.0, 2.0, 3.0, 4.0]))
        self.output = nn.Linear(4, 7, bias=False)
        self.output.weight = self.embedding.weight

    def forward(self, ids):
        return self.output(self.embedding(ids) * self.scale)


class Branches(nn.Module):
    """Several inputs, one of them a dict that is not in the order of the alphabet."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(3, 2), nn.Bilinear(2, 4, 3)])

    def forward(self, x, others):
        return self.layers[1](self.layers[0](x), others["z"]) + others["a"]


def normal(*shape):
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


def ids(*shape):
    return np.random.default_rng(len(shape)).integers(0, 7, shape)


ACTIVATIONS = [
    *(nn.ReLU(), nn.ReLU6(), nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.ELU(0.7), nn.SELU(), nn.CELU(0.6)),
    *(nn.LeakyReLU(0.1), nn.RReLU(), nn.Softplus(2.0), nn.Mish(), nn.Hardtanh(-0.5, 0.7), nn.Hardswish()),
    *(nn.Hardsigmoid(), nn.Sigmoid(), nn.LogSigmoid(), nn.Tanh(), nn.Softmax(-1), nn.LogSoftmax(-1), nn.Softmin(-1)),
    *(nn.Softsign(), nn.Tanhshrink(), nn.Hardshrink(), nn.Softshrink(), nn.Threshold(0.1, 2.0), nn.GLU(-1)),
]
MODULES = {
    "perceptron": (lambda: nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Dropout(0.5), nn.Linear(8, 3)), normal(5, 4)),
    "prelu": (
        lambda: nn.Sequential(nn.Linear(4, 6), nn.PReLU(6), nn.utils.parametrizations.weight_norm(nn.Linear(6, 3))),
        normal(5, 4),
    ),
    "convolution": (
        lambda: nn.Sequential(
            nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2),
            nn.BatchNorm2d(6),
            nn.SiLU(),
            nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True),
            nn.AvgPool2d((2, 1), padding=(1, 0), count_include_pad=False),
            nn.Conv2d(6, 6, 1, groups=6),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(6, 2),
        ),
        normal(3, 4, 11, 9),
    ),
    "signal": (
        lambda: nn.Sequential(
            nn.Conv1d(2, 6, 4, padding="same", padding_mode="circular"),
            nn.ConvTranspose1d(6, 4, 3, stride=2, padding=1, output_padding=1, groups=2, dilation=2),
            nn.MaxPool1d(2, dilation=2, stride=1),
            nn.AvgPool1d(3, 2, ceil_mode=True, padding=1),
            nn.AdaptiveMaxPool1d(5),
            nn.AdaptiveAvgPool1d(3),
        ),
        normal(3, 2, 10),
    ),
    "volume": (
        lambda: nn.Sequential(nn.Conv3d(2, 3, 2), nn.AvgPool3d(2), nn.ConvTranspose3d(3, 1, 2, stride=2)),
        normal(2, 2, 5, 5, 6),
    ),
    "resizing": (
        lambda: nn.Sequential(
            nn.ConvTranspose2d(3, 4, 3, stride=2),
            nn.PixelShuffle(2),
            nn.Upsample(scale_factor=2),
            nn.Upsample(size=(13, 6)),
            nn.Upsample(scale_factor=1.5, mode="bilinear"),
            nn.Upsample(size=(5, 7), mode="bilinear", align_corners=True),
            nn.ReflectionPad2d(2),
            nn.ConstantPad2d((1, -2, 0, 3), 0.5),
            nn.ReplicationPad2d(1),
            nn.AdaptiveAvgPool2d((4, 3)),
        ),
        normal(2, 3, 4, 5),
    ),
    "residual": (
        lambda: nn.Sequential(nn.Conv2d(2, 3, 1), Residual(3), Residual(3), nn.AdaptiveMaxPool2d(2)),
        normal(2, 2, 6, 5),
    ),
    "norms": (
        lambda: nn.Sequential(
            nn.LayerNorm((6, 5)),
            nn.GroupNorm(2, 4),
            nn.InstanceNorm2d(4, affine=True),
            nn.RMSNorm(5),
            nn.BatchNorm2d(4, track_running_stats=False),
        ),
        normal(3, 4, 6, 5),
    ),
    "tied": (Tied, ids(4, 5)),
    "attention": (Attention, normal(3, 6, 8)),
    "encoder": (
        lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu"),
        normal(3, 6, 8),
    ),
    "decoder": (Decoder, (normal(3, 6, 8), normal(3, 5, 8))),
    "lstm": (
        lambda: Recurrent(nn.LSTM, num_layers=2, bidirectional=True, batch_first=True, dropout=0.5),
        normal(3, 4, 3),
    ),
    "lstm with a projection": (lambda: Recurrent(nn.LSTM, proj_size=2, bias=False), normal(4, 2, 3)),
    "gru": (lambda: Recurrent(nn.GRU, bidirectional=True), normal(4, 2, 3)),
    "rnn": (lambda: nn.Sequential(Recurrent(nn.RNN, nonlinearity="relu", batch_first=True)), normal(3, 4, 3)),
    "cells": (lambda: nn.LSTMCell(3, 5), normal(2, 3)),
    "branches": (Branches, (normal(5, 3), {"z": normal(5, 4), "a": normal(5, 3)})),
    "activations": (lambda: Function(lambda x: [f.eval()(x) for f in ACTIVATIONS]), normal(5, 6)),
}
ROWS_ARE_FREE = ("perceptron", "convolution", "encoder", "rnn", "tied", "branches")


def tensors(x):
    return adapt.torch_modules._mapped(torch.tensor, x)


def tree(result):
    return jax.tree.map(lambda t: t.detach().numpy(), result)


def close(ours, theirs):
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for (path, a), b in zip(jax.tree.leaves_with_path(ours), jax.tree.leaves(theirs), strict=True):
        assert a.shape == b.shape, jax.tree_util.keystr(path)
        scale = max(1.0, np.abs(b).max(initial=0))
        np.testing.assert_allclose(np.asarray(a), b, rtol=1e-5, atol=1e-5 * scale, err_msg=jax.tree_util.keystr(path))


def started(module):
    """The module with parameters and statistics that are not 0 or 1."""
    torch.manual_seed(0)
    with torch.no_grad():
        for value in (*module.parameters(), *module.buffers()):
            if value.is_floating_point():
                value.add_(torch.rand(value.shape) * 0.2)
    return module


def compare(module, x):
    """Values, and gradients of sum(c y) by parameters and inputs, equal PyTorch's; returns the model."""
    model = adapt.torch(module, x)
    module.eval()
    inputs = tensors(x)
    leaves = [t.requires_grad_() for t in jax.tree.leaves(inputs) if t.is_floating_point()]
    values = adapt.torch_modules._mapped(lambda y: y, module(*inputs) if isinstance(inputs, tuple) else module(inputs))
    outputs = [t for t in jax.tree.leaves(values) if t.is_floating_point()]
    total = sum((t * torch.cos(torch.arange(t.numel()).reshape(t.shape))).sum() for t in outputs)
    wanted = [*module.parameters(), *leaves]
    slopes = torch.autograd.grad(total, wanted) if wanted else []

    def loss(params, floats):
        arrays = iter(floats)
        y = model(params, jax.tree.map(lambda a: next(arrays) if a.dtype.kind == "f" else a, x))
        found = [a for a in jax.tree.leaves(y) if jnp.issubdtype(a.dtype, jnp.floating)]
        return sum((a * jnp.cos(jnp.arange(a.size).reshape(a.shape))).sum() for a in found), y

    floats = [a for a in jax.tree.leaves(x) if a.dtype.kind == "f"]
    (_, ours), (by_params, by_x) = jax.jit(jax.value_and_grad(loss, (0, 1), has_aux=True), compiler_options=QUICK)(
        model.params, floats
    )
    close(ours, tree(values))
    names = [name for name, _ in module.named_parameters()]
    for name, slope in zip(names, slopes, strict=False):
        close(adapt.names.at(by_params, tuple(name.split("."))), slope.numpy())
    close(by_x, [s.numpy() for s in slopes[len(names) :]])
    return model


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("name", MODULES)
def test_values_and_gradients_are_those_of_pytorch(name):
    make, x = MODULES[name]
    module = started(make())
    model = compare(module, x)
    if name in ROWS_ARE_FREE:
        other = jax.tree.map(lambda a: np.resize(a, (9, *a.shape[1:])), x)
        with torch.no_grad():
            theirs = module(*tensors(other)) if isinstance(other, tuple) else module(tensors(other))
        close(jax.jit(model, compiler_options=QUICK)(model.params, other), tree(theirs))


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
        "whole": lambda x: x.floor() + x.ceil() * 2 + (x // 0.4) * x + x.clamp_max(0.3) + x.reciprocal(),
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
            F.interpolate(x[None], (3, 2, 6)) + F.interpolate(x[None], (3, 2, 6), mode="trilinear", align_corners=True)
        ),
        "parts": lambda x: F.adaptive_avg_pool3d(x[None], (1, 2, 3)) + F.adaptive_max_pool3d(x[None], (1, 2, 3)),
        "largest": lambda x: F.max_pool3d(x[None], (1, 2, 3)) + torch.constant_pad_nd(x, (1, -4), 2.0)[:, 1:],
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
            x + torch.arange(5) + torch.zeros_like(x) + torch.full((3, 1), 2.0) + x.new_ones(5) + torch.eye(3, 5)
        ),
        "one-hot": lambda x: F.one_hot((x > 0).long(), 3).float() * x[..., None],
        "causal": lambda x: (
            F.scaled_dot_product_attention(x, x, x, is_causal=True, scale=0.3)
            + F.scaled_dot_product_attention(x, x, x, torch.ones(3, 3).tril().bool())
        ),
        "detached": lambda x: x.detach() * x + x.double().float() + _still(x) * x,
        "filled": lambda x: (
            x + x.new_full((5,), 2.0) + torch.full_like(x, 3.0) + torch.ones_like(x) + x.new_zeros(3, 1)
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


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_those_of_pytorch(name):
    compare(Function(lambda x: {key: f(x) for key, f in FUNCTIONS[name].items()}), normal(2, 3, 5))


def test_parameters_have_the_names_of_the_module():
    model = adapt.torch(
        nn.Sequential(nn.Linear(4, 3), Residual(2).conv1.requires_grad_(False), Tied()).eval()[:1], normal(5, 4)
    )
    assert jax.tree.map(jnp.shape, model.params) == {"0": {"weight": (3, 4), "bias": (3,)}}
    assert program(model, normal(5, 4)).inputs == ("0['0']['bias']", "0['0']['weight']", "1")
    assert repr(model) == "Model('PyTorch Sequential', 15 parameters)" and model.training is None
    tied = adapt.torch(Tied(), ids(4, 5))
    assert jax.tree.map(jnp.shape, tied.params) == {"embedding": {"weight": (7, 4)}}


def test_a_trace_says_which_module_computes_and_what_it_computes():
    module = nn.Sequential(
        nn.Linear(4, 3), nn.Sequential(nn.Softplus(), nn.Linear(3, 2)), nn.ModuleList([nn.ReLU()])[0]
    )
    model = adapt.torch(module, normal(5, 4))
    found = [(place(e), e.params.get("name", e.primitive.name)) for e in program(model, normal(5, 4)).traced.jaxpr.eqns]
    assert found[:3] == [("0:Linear", "transpose"), ("0:Linear", "dot_general"), ("0:Linear", "broadcast_in_dim")]
    assert ("1:Sequential/0:Softplus", "softplus") in found and ("1:Sequential/1:Linear", "dot_general") in found
    assert found[-1] == ("2:ReLU", "custom_jvp_call")


def test_a_recurrent_layer_is_one_loop():
    model = adapt.torch(Recurrent(nn.LSTM, batch_first=True), normal(2, 12, 3))
    names = [e.primitive.name for e in program(model, normal(2, 12, 3)).traced.jaxpr.eqns]
    assert names.count("scan") == 1 and len(names) < 30


def test_the_module_is_left_as_it_was_and_the_model_as_it_is():
    module = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5), nn.BatchNorm1d(3).eval())
    model = adapt.torch(module, normal(5, 4))
    assert [part.training for part in module.modules()] == [True, True, True, False]
    before = np.asarray(model(model.params, normal(5, 4)))
    with torch.no_grad():
        module[0].weight.zero_()
        module[2].running_var.zero_()
    assert np.array_equal(before, model(model.params, normal(5, 4))) and before.any()


@pytest.mark.parametrize("cast", [torch.tensor, jnp.asarray, lambda a: a.astype(np.float64)])
def test_examples_may_be_of_any_library(cast):
    x, module = normal(5, 4), nn.Linear(4, 3)
    model = adapt.torch(module, cast(x))
    close(model(model.params, x), module(torch.tensor(x)).detach().numpy())


def test_examples_of_whole_numbers_may_be_of_any_width():
    module = nn.Embedding(7, 2)
    model = adapt.torch(module, jnp.asarray(ids(4, 5)))
    close(model(model.params, ids(4, 5).astype(np.int32)), module(torch.tensor(ids(4, 5))).detach().numpy())


def test_a_half_precise_module_stays_so():
    model = adapt.torch(nn.Linear(4, 3).to(torch.bfloat16), normal(5, 4))
    assert model.params["weight"].dtype == jnp.bfloat16


def test_inputs_that_the_export_does_not_cover_are_refused():
    model = adapt.torch(nn.Linear(4, 3), normal(5, 4))
    with pytest.raises(ShapeError, match=r"'input' of shape \(any, 4\), and one of shape \(5, 6\) came"):
        model(model.params, normal(5, 6))
    fixed = adapt.torch(Function(lambda x: x.reshape(5, -1)), normal(5, 4))
    with pytest.raises(ShapeError, match=r"of shape \(5, 4\), and one of shape \(6, 4\) came.*two or more"):
        fixed(fixed.params, normal(6, 4))
    branch = adapt.torch(Function(lambda x: x * 2 if x.shape[0] > 3 else x), normal(5, 4))
    with pytest.raises(ShapeError, match=r"of shape \(>=4, 4\), and one of shape \(3, 4\) came"):
        branch(branch.params, normal(3, 4))
    several = adapt.torch(Branches(), MODULES["branches"][1])
    with pytest.raises(ShapeError, match=r"of the form \(..., {'z': ..., 'a': ...}\), and ... came"):
        several(several.params, normal(5, 3))


class Spectrum(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.ModuleList([Function(lambda x: torch.special.bessel_j0(x.lgamma()))])

    def forward(self, x):
        return self.inner[0](x)


def test_an_unknown_operation_is_named_with_its_module_and_can_be_taught(monkeypatch):
    said = "inner:ModuleList/0:Function of Spectrum computes aten.lgamma.default.*nor have special_bessel_j0.default"
    with pytest.raises(DesignError, match=said):
        adapt.torch(Spectrum(), normal(5, 4))
    with pytest.raises(DesignError, match=r'chainrule.adapt.aten.OPERATIONS\["lgamma"\] = a function'):
        adapt.torch(Function(torch.lgamma), normal(5, 4))
    monkeypatch.setitem(adapt.aten.OPERATIONS, "lgamma", jax.lax.lgamma)
    compare(Function(torch.lgamma), normal(5, 4))


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (lambda: nn.Linear, "takes a torch.nn.Module, and type came"),
        (lambda: nn.Linear(5, 2), "could not turn Linear into a graph: .*Check that module"),
        (lambda: Function(lambda x: x if x.sum() > 0 else -x), "could not turn Function into a graph"),
        (lambda: Function(lambda x: F.dropout(x)), "Function draws random numbers"),
        (lambda: Function(lambda x: x + torch.randn(4)), "Function draws random numbers"),
        (
            lambda: Function(lambda x: F.scaled_dot_product_attention(x, x, x, dropout_p=0.5)),
            "dropout_p=0.5 in eval mode",
        ),
        (
            lambda: Function(lambda x: F.max_pool2d(x[None], 2, return_indices=True)[1]),
            "computes aten.max_pool2d_with_indices",
        ),
    ],
)
def test_what_cannot_be_adapted_is_refused_with_a_remedy(module, message):
    with pytest.raises(DesignError, match=message):
        adapt.torch(module(), normal(5, 4))
