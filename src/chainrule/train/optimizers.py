"""Optimizers: the answer of the parameters to a gradient. The only file that knows optax.

An optimizer is a frozen set of numbers. In the equations W is any array of parameters, g = dL/dW its
gradient, t = 1, 2, ... the step, and everything that is remembered (v, m, s) starts at 0; ``rate`` is the
learning rate of the step.
"""

import difflib
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import optax

from chainrule import spec
from chainrule.errors import DesignError
from chainrule.train.schedules import Schedule, expect_number


@dataclass(frozen=True, repr=False)
class Optimizer:
    """A rule of descent. ``learning_rate`` is a number, a schedule, or a plain function of the step.

    A compiled program is keyed by ``form()`` and is given the learning rate and ``numbers()`` when it runs,
    so that changing them never compiles again.
    """

    learning_rate: ClassVar[Any]
    full_batch: ClassVar[bool] = False
    """Whether each step must see all rows."""

    def __post_init__(self) -> None:
        rate = self.learning_rate
        if isinstance(rate, type) or not (isinstance(rate, Schedule) or callable(rate)):
            expect_number(
                self,
                "learning_rate",
                above=0,
                remedy="A schedule such as cr.cosine(0.1), or a function of the step, may take its place.",
            )

    def numbers(self) -> dict[str, float]:
        """Numbers besides the learning rate that enter the compiled program as values."""
        return {}

    def form(self) -> "Optimizer":
        """The optimizer without its learning rate and ``numbers()``: equal forms share a program."""
        return replace(self, learning_rate=1.0, **dict.fromkeys(self.numbers(), 0.0))

    def transform(self, rate: Any, numbers: dict[str, Any], decayed: Any) -> optax.GradientTransformationExtraArgs:
        """The rule as a pair of pure functions (init, update), for a rate and numbers that may be traced.

        ``decayed`` says for each array of parameters whether weight decay applies to it. What is remembered
        does not depend on the rate: ``init`` under any rate serves ``update`` under any other.
        """
        return optax.with_extra_args_support(optax.chain(*self.stages(numbers, decayed), optax.scale(-rate)))

    def stages(self, numbers: dict[str, Any], decayed: Any) -> tuple[optax.GradientTransformation, ...]:
        """What happens to a gradient before it is multiplied by -rate."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return spec.show_fields(self)


@spec.register
@dataclass(frozen=True, repr=False)
class sgd(Optimizer):
    """Gradient descent, on batches stochastic; with momentum the steps remember their direction.

    Equation
        v = momentum * v + g
        W = W - rate * where(nesterov, g + momentum * v, v)
    Errors
        DesignError when the rate is not above 0, momentum not in [0, 1), or nesterov comes without momentum
    Source
        Robbins & Monro 1951; Polyak 1964; Sutskever et al. 2013, equations 1 to 4, whose v holds the rate
        too: that is Keras' form, the same under a constant rate. This is PyTorch's, with dampening = 0

    >>> sgd(0.1, momentum=0.9)
    sgd(learning_rate=0.1, momentum=0.9)
    """

    learning_rate: Any
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_number(self, "momentum", least=0, below=1)
        if self.nesterov and not self.momentum:
            raise DesignError("sgd: nesterov=True looks ahead along the momentum, which is 0. Say momentum=0.9.")

    def stages(self, numbers: dict[str, Any], decayed: Any) -> tuple[optax.GradientTransformation, ...]:
        """v, or the gradient itself."""
        return (optax.trace(self.momentum, self.nesterov),) if self.momentum else ()


@spec.register
@dataclass(frozen=True, repr=False)
class adagrad(Optimizer):
    """Every number has its own rate, which falls with the squares of all gradients it has seen.

    Equation
        s = s + g**2
        W = W - rate * g / (sqrt(s) + epsilon)
    Errors
        DesignError when the rate or epsilon is not above 0
    Source
        Duchi, Hazan & Singer 2011, figure 1, with diagonal matrices. PyTorch is the same; Keras and optax
        start s at 0.1 and add epsilon = 1e-7 within the root

    >>> adagrad(0.1)
    adagrad(learning_rate=0.1)
    """

    learning_rate: Any = 0.01
    epsilon: float = 1e-10

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_number(self, "epsilon", above=0)

    def stages(self, numbers: dict[str, Any], decayed: Any) -> tuple[optax.GradientTransformation, ...]:
        """The gradient over the root of s."""
        return (_scale_by_all_squares(self.epsilon),)


@spec.register
@dataclass(frozen=True, repr=False)
class rmsprop(Optimizer):
    """Every number has its own rate, by the size of its recent gradients.

    Equation
        s = rho * s + (1 - rho) * g**2
        v = momentum * v + g / (sqrt(s) + epsilon)
        W = W - rate * v
    Errors
        DesignError when the rate or epsilon is not above 0, or rho or momentum not in [0, 1)
    Source
        Tieleman & Hinton 2012, lecture 6.5. PyTorch is the same, with alpha = 0.99 for rho and a rate of
        0.01; Keras adds epsilon = 1e-7 within the root, and its v holds the rate too

    >>> rmsprop(1e-3, momentum=0.9)
    rmsprop(momentum=0.9)
    """

    learning_rate: Any = 1e-3
    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_number(self, "rho", least=0, below=1)
        expect_number(self, "momentum", least=0, below=1)
        expect_number(self, "epsilon", above=0)

    def stages(self, numbers: dict[str, Any], decayed: Any) -> tuple[optax.GradientTransformation, ...]:
        """The gradient over the root of s, and its momentum."""
        scaled = optax.scale_by_rms(self.rho, self.epsilon, eps_in_sqrt=False)
        return (scaled, optax.trace(self.momentum)) if self.momentum else (scaled,)


@spec.register
@dataclass(frozen=True, repr=False)
class adam(Optimizer):
    """Momentum, over the size of recent gradients, both without their bias towards the start at 0.

    Equation
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        m_hat = m / (1 - beta_1**t)
        v_hat = v / (1 - beta_2**t)
        W = W - rate * m_hat / (sqrt(v_hat) + epsilon)
    Errors
        DesignError when the rate or epsilon is not above 0, or a beta not in [0, 1)
    Source
        Kingma & Ba 2015, algorithm 1. PyTorch is the same; Keras takes the form at the end of their section
        2, in which epsilon = 1e-7 is added to the root of v, not of v_hat: it counts for more at first

    >>> adam(3e-4)
    adam(learning_rate=0.0003)
    """

    learning_rate: Any = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_number(self, "beta_1", least=0, below=1)
        expect_number(self, "beta_2", least=0, below=1)
        expect_number(self, "epsilon", above=0)

    def stages(self, numbers: dict[str, Any], decayed: Any) -> tuple[optax.GradientTransformation, ...]:
        """m_hat over the root of v_hat."""
        return (optax.scale_by_adam(self.beta_1, self.beta_2, self.epsilon),)


@spec.register
@dataclass(frozen=True, repr=False)
class adamw(adam):
    """Adam, with weights that also shrink by a share of themselves, apart from the gradient.

    Equation
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        m_hat = m / (1 - beta_1**t)
        v_hat = v / (1 - beta_2**t)
        W = W - rate * (m_hat / (sqrt(v_hat) + epsilon) + weight_decay * W)
    Errors
        DesignError as for adam, or when weight_decay is negative
    Source
        Loshchilov & Hutter 2019, algorithm 2, with the rate in front of the decay as in PyTorch and Keras,
        which decay everything unless told otherwise. Here only weights decay: for biases and the scales of
        norms weight_decay is 0

    >>> adamw(1e-3, weight_decay=0.1)
    adamw(weight_decay=0.1)
    """

    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_number(self, "weight_decay", least=0)

    def numbers(self) -> dict[str, float]:
        """The decay."""
        return {"weight_decay": self.weight_decay}

    def stages(self, numbers: dict[str, Any], decayed: Any) -> tuple[optax.GradientTransformation, ...]:
        """Adam's, and the decay of the weights."""
        decay = optax.add_decayed_weights(numbers["weight_decay"], mask=decayed)
        return (*super().stages(numbers, decayed), decay)


@spec.register
@dataclass(frozen=True, repr=False)
class lbfgs(Optimizer):
    """Newton's step, with an inverse Hessian estimated from the last steps; its length is searched for.

    Equation
        H = (s @ y) / (y @ y) * eye(n)        with the newest of the pairs s = W - W_old, y = g - g_old
        rho = 1 / (y @ s)                     these two lines for each of ``memory`` pairs, oldest first
        H = (eye(n) - rho * outer(s, y)) @ H @ (eye(n) - rho * outer(y, s)) + rho * outer(s, s)
        W = W - rate * H @ g
    Errors
        DesignError when memory or searches is not a whole number of at least 1; fit refuses batches
    Source
        Liu & Nocedal 1989; Nocedal & Wright 2006, equations 7.19 and 7.20, with a line search for the strong
        Wolfe conditions (algorithms 3.5 and 3.6). H is never built: two loops over the pairs give H @ g. The
        first step has H = eye(n) * minimum(1, 1 / norm(g)). PyTorch searches only when told to; Keras has none

    >>> lbfgs().full_batch
    True
    """

    learning_rate: ClassVar[None] = None
    full_batch: ClassVar[bool] = True

    memory: int = 10
    searches: int = 20
    """The most evaluations of the loss in one line search."""

    def __post_init__(self) -> None:
        for name in ("memory", "searches"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise DesignError(f"lbfgs: {name}={value!r}: a whole number of at least 1 is expected.")

    def form(self) -> "Optimizer":
        """Itself: it has no learning rate."""
        return self

    def transform(self, rate: Any, numbers: dict[str, Any], decayed: Any) -> optax.GradientTransformationExtraArgs:
        """(init, update): update also takes ``value``, ``grad`` and ``value_fn``; ``rate`` is not read."""
        search = optax.scale_by_zoom_linesearch(self.searches, initial_guess_strategy="one")
        rule = optax.lbfgs(memory_size=self.memory, linesearch=search)

        def init(params: Any) -> Any:
            # optax starts some numbers weakly typed, and a second program would be compiled at step 2
            return jax.tree.map(lambda a: jnp.asarray(a, a.dtype), rule.init(params))

        return optax.GradientTransformationExtraArgs(init, rule.update)


def optimizer_named(text: str) -> Optimizer:
    """The optimizer of that name, with its usual learning rate; Keras' spellings are accepted.

    >>> optimizer_named("RMSprop"), optimizer_named("sgd")
    (rmsprop(), sgd(learning_rate=0.01))
    """
    usual = {type(o).__name__: o for o in (adagrad(), adam(), adamw(), lbfgs(), rmsprop(), sgd(0.01))}
    name = text.lower().replace("-", "").replace("_", "")
    if name not in usual:
        close = difflib.get_close_matches(name, usual, n=1, cutoff=0.5)
        meant = f" Did you mean {close[0]!r}?" if close else ""
        raise DesignError(f"optimizer={text!r}: one of {', '.join(usual)} is expected.{meant}")
    return usual[name]


class _AllSquares(NamedTuple):
    s: Any


def _scale_by_all_squares(epsilon: float) -> optax.GradientTransformation:
    # optax's own adds epsilon within the root, where it outweighs small gradients.
    def init(params: Any) -> _AllSquares:
        return _AllSquares(jax.tree.map(jnp.zeros_like, params))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, _AllSquares]:
        s = jax.tree.map(lambda s, g: s + g * g, state.s, updates)
        return jax.tree.map(lambda g, s: g / (jnp.sqrt(s) + epsilon), updates, s), _AllSquares(s)

    return optax.GradientTransformation(init, update)
