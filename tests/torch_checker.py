"""Whether an adapted PyTorch module gives PyTorch's own values and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule import adapt

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
nn = torch.nn

QUICK = {"xla_llvm_disable_expensive_passes": True}
"""Programs that run once are compiled without polish."""


class Function(nn.Module):
    """A function of tensors, as a module without parameters."""

    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, x):
        return self.f(x)


def normal(*shape):
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


def ids(*shape):
    return np.random.default_rng(len(shape)).integers(0, 7, shape)


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
