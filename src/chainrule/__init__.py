"""chainrule: neural networks with the mathematics in plain sight."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chainrule.data.table import Table as Table
    from chainrule.errors import CannotExplain as CannotExplain
    from chainrule.errors import ChainruleError as ChainruleError
    from chainrule.errors import ChainruleWarning as ChainruleWarning
    from chainrule.errors import DataError as DataError
    from chainrule.errors import DesignError as DesignError
    from chainrule.errors import LoadError as LoadError
    from chainrule.errors import ShapeError as ShapeError

_HOME = {
    "chainrule.errors": (
        "CannotExplain ChainruleError ChainruleWarning DataError DesignError LoadError ShapeError"
    ),
    "chainrule.maths.activations": (
        "elu gelu identity leaky_relu log_softmax relu sigmoid silu softmax softplus tanh Elu LeakyRelu"
    ),
    "chainrule.maths.initializers": (
        "constant glorot_normal glorot_uniform he_normal he_uniform lecun_normal lecun_uniform normal "
        "orthogonal zeros Constant Orthogonal RandomNormal"
    ),
    "chainrule.maths.losses": (
        "binary_cross_entropy cross_entropy gaussian_nll huber mean_absolute_error mean_squared_error "
        "poisson_nll quantile CrossEntropy Huber Quantile"
    ),
    "chainrule.maths.penalties": "elastic_net l1 l2",
    "chainrule.maths.information": "entropy kl_divergence mutual_information",
    "chainrule.data.table": "Table",
    "chainrule.layers.layer": "Layer",
    "chainrule.layers.chain": "Chain",
    "chainrule.layers.dense": "Dense",
    "chainrule.layers.dropout": "Dropout",
    "chainrule.layers.batch_norm": "BatchNorm",
    "chainrule.layers.layer_norm": "LayerNorm",
    "chainrule.layers.standardize": "Standardize",
    "chainrule.layers.embedding": "Embedding",
    "chainrule.layers.residual": "Residual",
    "chainrule.layers.parallel": "Parallel",
    "chainrule.layers.join": "Add Concatenate Select",
    "chainrule.layers.scale": "Scale",
    "chainrule.layers.shape": "Flatten Reshape",
    "chainrule.layers.summary": "summary",
    "chainrule.train.optimizers": "adagrad adam adamw lbfgs rmsprop sgd",
    "chainrule.train.schedules": "cosine exponential one_cycle plateau warmup",
    "chainrule.train.recipe": "EarlyStopping Recipe",
    "chainrule.train.design": "Design",
    "chainrule.train.fit": "fit resume",
    "chainrule.train.run": "Run",
    "chainrule.train.saved": "load",
    "chainrule.train.scores": "Scores",
    "chainrule.train.trials": "find_learning_rate overfit_batch",
    "chainrule.proposal.propose": "design",
}
_MODULE = {name: module for module, names in _HOME.items() for name in names.split()}
_ROOMS = "data layers maths testing trace train".split()
_ELSEWHERE = {
    "Sequential": "cr.Chain(cr.Dense(64), cr.relu, …)",
    "Model": "cr.Chain(cr.Dense(64), cr.relu, …)",
    "Linear": "cr.Dense(units)",
    "ReLU": "cr.relu",
    "Activation": "the function itself, such as cr.relu",
    "BatchNormalization": "cr.BatchNorm()",
    "BatchNorm1d": "cr.BatchNorm()",
    "LayerNormalization": "cr.LayerNorm()",
    "Adam": "cr.adam(1e-3)",
    "SGD": "cr.sgd(0.01)",
    "RMSprop": "cr.rmsprop(1e-3)",
    "MSELoss": "cr.mean_squared_error",
    "mse": "cr.mean_squared_error",
    "mae": "cr.mean_absolute_error",
    "CrossEntropyLoss": "cr.cross_entropy",
    "BCEWithLogitsLoss": "cr.binary_cross_entropy",
}

__version__ = "0.1.0"
__all__ = sorted(_MODULE)


def __getattr__(name: str) -> Any:
    if name in _MODULE:
        value = getattr(import_module(_MODULE[name]), name)
        globals()[name] = value
        return value
    if name in _ROOMS:
        return import_module(f"chainrule.{name}")
    if name in _ELSEWHERE:
        raise AttributeError(f"chainrule has no {name}: write {_ELSEWHERE[name]}.")
    raise AttributeError(f"chainrule has no {name!r}. Its names: {', '.join(__all__)}.")


def __dir__() -> list[str]:
    return [*__all__, *_ROOMS, "__version__"]
