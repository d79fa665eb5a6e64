"""chainrule: neural networks with the mathematics in plain sight."""

import difflib
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chainrule.data.table import Table as Table
    from chainrule.equations.explain import explain as explain
    from chainrule.errors import CannotExplain as CannotExplain
    from chainrule.errors import ChainruleError as ChainruleError
    from chainrule.errors import ChainruleWarning as ChainruleWarning
    from chainrule.errors import DataError as DataError
    from chainrule.errors import DesignError as DesignError
    from chainrule.errors import LoadError as LoadError
    from chainrule.errors import ShapeError as ShapeError
    from chainrule.estimators import Classifier as Classifier
    from chainrule.estimators import Regressor as Regressor
    from chainrule.layers.batch_norm import BatchNorm as BatchNorm
    from chainrule.layers.chain import Chain as Chain
    from chainrule.layers.dense import Dense as Dense
    from chainrule.layers.dropout import Dropout as Dropout
    from chainrule.layers.embedding import Embedding as Embedding
    from chainrule.layers.join import Add as Add
    from chainrule.layers.join import Concatenate as Concatenate
    from chainrule.layers.join import Select as Select
    from chainrule.layers.layer import Layer as Layer
    from chainrule.layers.layer_norm import LayerNorm as LayerNorm
    from chainrule.layers.parallel import Parallel as Parallel
    from chainrule.layers.piecewise_linear import PiecewiseLinear as PiecewiseLinear
    from chainrule.layers.residual import Residual as Residual
    from chainrule.layers.scale import Scale as Scale
    from chainrule.layers.shape import Flatten as Flatten
    from chainrule.layers.shape import Reshape as Reshape
    from chainrule.layers.standardize import Standardize as Standardize
    from chainrule.layers.summary import summary as summary
    from chainrule.maths.activations import Elu as Elu
    from chainrule.maths.activations import LeakyRelu as LeakyRelu
    from chainrule.maths.activations import elu as elu
    from chainrule.maths.activations import gelu as gelu
    from chainrule.maths.activations import identity as identity
    from chainrule.maths.activations import leaky_relu as leaky_relu
    from chainrule.maths.activations import log_softmax as log_softmax
    from chainrule.maths.activations import relu as relu
    from chainrule.maths.activations import sigmoid as sigmoid
    from chainrule.maths.activations import silu as silu
    from chainrule.maths.activations import softmax as softmax
    from chainrule.maths.activations import softplus as softplus
    from chainrule.maths.activations import tanh as tanh
    from chainrule.maths.information import entropy as entropy
    from chainrule.maths.information import kl_divergence as kl_divergence
    from chainrule.maths.information import mutual_information as mutual_information
    from chainrule.maths.initializers import Constant as Constant
    from chainrule.maths.initializers import Orthogonal as Orthogonal
    from chainrule.maths.initializers import RandomNormal as RandomNormal
    from chainrule.maths.initializers import constant as constant
    from chainrule.maths.initializers import glorot_normal as glorot_normal
    from chainrule.maths.initializers import glorot_uniform as glorot_uniform
    from chainrule.maths.initializers import he_normal as he_normal
    from chainrule.maths.initializers import he_uniform as he_uniform
    from chainrule.maths.initializers import lecun_normal as lecun_normal
    from chainrule.maths.initializers import lecun_uniform as lecun_uniform
    from chainrule.maths.initializers import normal as normal
    from chainrule.maths.initializers import orthogonal as orthogonal
    from chainrule.maths.initializers import zeros as zeros
    from chainrule.maths.losses import CrossEntropy as CrossEntropy
    from chainrule.maths.losses import Huber as Huber
    from chainrule.maths.losses import Quantile as Quantile
    from chainrule.maths.losses import binary_cross_entropy as binary_cross_entropy
    from chainrule.maths.losses import cross_entropy as cross_entropy
    from chainrule.maths.losses import gaussian_nll as gaussian_nll
    from chainrule.maths.losses import huber as huber
    from chainrule.maths.losses import mean_absolute_error as mean_absolute_error
    from chainrule.maths.losses import mean_squared_error as mean_squared_error
    from chainrule.maths.losses import poisson_nll as poisson_nll
    from chainrule.maths.losses import quantile as quantile
    from chainrule.maths.penalties import elastic_net as elastic_net
    from chainrule.maths.penalties import l1 as l1
    from chainrule.maths.penalties import l2 as l2
    from chainrule.proposal.propose import design as design
    from chainrule.reports.report import report as report
    from chainrule.train.design import Design as Design
    from chainrule.train.fit import fit as fit
    from chainrule.train.fit import resume as resume
    from chainrule.train.optimizers import adagrad as adagrad
    from chainrule.train.optimizers import adam as adam
    from chainrule.train.optimizers import adamw as adamw
    from chainrule.train.optimizers import lbfgs as lbfgs
    from chainrule.train.optimizers import rmsprop as rmsprop
    from chainrule.train.optimizers import sgd as sgd
    from chainrule.train.recipe import EarlyStopping as EarlyStopping
    from chainrule.train.recipe import Recipe as Recipe
    from chainrule.train.run import Run as Run
    from chainrule.train.saved import load as load
    from chainrule.train.schedules import cosine as cosine
    from chainrule.train.schedules import exponential as exponential
    from chainrule.train.schedules import one_cycle as one_cycle
    from chainrule.train.schedules import plateau as plateau
    from chainrule.train.schedules import warmup as warmup
    from chainrule.train.scores import Scores as Scores
    from chainrule.train.trials import find_learning_rate as find_learning_rate
    from chainrule.train.trials import overfit_batch as overfit_batch

_HOME = {
    "chainrule.errors": ("CannotExplain ChainruleError ChainruleWarning DataError DesignError LoadError ShapeError"),
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
    "chainrule.layers.piecewise_linear": "PiecewiseLinear",
    "chainrule.layers.parallel": "Parallel",
    "chainrule.layers.join": "Add Concatenate Select",
    "chainrule.layers.scale": "Scale",
    "chainrule.layers.shape": "Flatten Reshape",
    "chainrule.layers.summary": "summary",
    "chainrule.equations.explain": "explain",
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
    "chainrule.estimators": "Classifier Regressor",
    "chainrule.reports.report": "report",
}
_MODULE = {name: module for module, names in _HOME.items() for name in names.split()}
_ROOMS = "adapt data equations layers maths testing trace train".split()
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
    near = difflib.get_close_matches(name, [*__all__, *_ROOMS], n=1)
    if near:
        raise AttributeError(f"chainrule has no {name!r}. Did you mean {near[0]!r}?")
    raise AttributeError(f"chainrule has no {name!r}. Its names: {', '.join(__all__)}.")


def __dir__() -> list[str]:
    return [*__all__, *_ROOMS, "__version__"]
