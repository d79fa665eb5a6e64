"""Every layer, activation, loss and penalty of chainrule, explained: each line verified, the known ones as books have them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chainrule as cr
from test_explain import examined, line_of

R = np.random.default_rng(0)
X = R.normal(size=(6, 4)).astype(np.float32)
CLASSES = np.array([0, 2, 1, 1, 0, 2])
NUMBERS = R.normal(size=(6, 3)).astype(np.float32)
PICTURES = R.normal(size=(2, 3, 5, 2)).astype(np.float32)
TEXTS = R.integers(0, 7, (6, 5))

ACTIVATIONS = "elu gelu identity leaky_relu log_softmax relu sigmoid silu softmax softplus tanh".split()
SLOPES = {
    "identity": "δz1 = δz2 W2ᵀ",
    "relu": "δz1 = δa1 ⊙ 1[z1 > 0]",
    "sigmoid": "δz1 = δa1 ⊙ a1 ⊙ (1 − a1)",
    "tanh": "δz1 = δa1 ⊙ (1 − a1²)",
    "softplus": "δz1 = δa1 ⊙ σ(z1)",
    "gelu": "δz1 = δa1 ⊙ (Φ(z1) + z1 ⊙ φ(z1))",
    "softmax": "δz1 = p1 ⊙ (δp1 − Σ_h1 (p1 ⊙ δp1))",
}

