"""PyTorch modules become functions of their parameters that give PyTorch's own values and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule import adapt
from chainrule.errors import DesignError, ShapeError
from chainrule.trace.program import place, program
from torch_checker import QUICK, Function, close, compare, ids, nn, normal, started, tensors, torch, tree


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
    "plain rnn": (lambda: Recurrent(nn.RNN, bias=False), normal(4, 2, 3)),
    "cells": (lambda: nn.LSTMCell(3, 5), normal(2, 3)),
    "branches": (Branches, (normal(5, 3), {"z": normal(5, 4), "a": normal(5, 3)})),
}
ROWS_ARE_FREE = ("perceptron", "convolution", "encoder", "rnn", "tied", "branches")


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
        (lambda: Function(lambda x: nn.functional.dropout(x)), "Function draws random numbers"),
        (lambda: Function(lambda x: x + torch.randn(4)), "Function draws random numbers"),
        (
            lambda: Function(lambda x: nn.functional.scaled_dot_product_attention(x, x, x, dropout_p=0.5)),
            "dropout_p=0.5 in eval mode",
        ),
        (
            lambda: Function(lambda x: nn.functional.max_pool2d(x[None], 2, return_indices=True)[1]),
            "computes aten.max_pool2d_with_indices",
        ),
    ],
)
def test_what_cannot_be_adapted_is_refused_with_a_remedy(module, message):
    with pytest.raises(DesignError, match=message):
        adapt.torch(module(), normal(5, 4))
