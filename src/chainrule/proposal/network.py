"""Network: depth, width, activation and start, from the size of the table."""

from collections.abc import Mapping

from chainrule.layers.chain import Chain
from chainrule.layers.dense import Dense
from chainrule.layers.dropout import Dropout
from chainrule.layers.embedding import Embedding
from chainrule.layers.join import Concatenate, Select
from chainrule.layers.layer import Layer
from chainrule.layers.parallel import Parallel
from chainrule.maths.activations import silu
from chainrule.maths.initializers import RandomNormal, he_normal
from chainrule.proposal.columns import embedding_size
from chainrule.train.design import Reason

SMALL_START = RandomNormal(std=0.01)
"""On the output, so that training starts at the loss of knowing nothing."""
DROPOUT = 0.1


def width_of(rows: int, outputs: int) -> int:
    """Units of a hidden layer: 32 for few rows, up to 256 for many, and never fewer than twice the outputs.

    >>> [width_of(rows, 2) for rows in (100, 1_000, 20_000, 1_000_000)]
    [32, 64, 128, 256]
    """
    by_rows = 32 if rows < 200 else 64 if rows < 10_000 else 128 if rows < 100_000 else 256
    return max(by_rows, min(256, 2 * outputs))


def depth_of(rows: int) -> int:
    """Hidden layers: one below 100 rows, else two."""
    return 1 if rows < 100 else 2


def hidden(width: int, depth: int) -> tuple:
    """The hidden layers, each an affine map, its activation and dropout."""
    return (Dense(width, init=he_normal), silu, Dropout(DROPOUT)) * depth


def entrance(embedded: Mapping[str, int], others: bool) -> tuple:
    """What joins embedded columns and the other features to one array; nothing where no column is embedded."""
    if not embedded:
        return ()
    points = tuple(Chain(Select(name), Embedding(codes, embedding_size(codes))) for name, codes in embedded.items())
    return (Parallel(*([Select("numbers")] if others else []), *points), Concatenate())


def network_of(
    rows: int, columns: int, outputs: int, embedded: Mapping[str, int], start: str
) -> tuple[Layer, tuple[Reason, ...]]:
    """The network for a table of so many rows and columns, and why; ``start`` says what its first loss is."""
    width, depth = width_of(rows, outputs), depth_of(rows)
    net = Chain(
        *entrance(embedded, others=columns > len(embedded)),
        *hidden(width, depth),
        Dense(outputs, init=SMALL_START),
    )
    return net, (
        Reason(
            f"{depth} hidden layer{'s' if depth > 1 else ''} of {width} units",
            f"{rows:,} rows, {columns} columns: {_size(rows, depth)}",
            "Gorishniy et al. 2021, MLP baseline",
        ),
        Reason(
            "silu between them",
            "smooth, so the network is smooth in its inputs, and its units do not die as those of relu can",
            "Elfwing et al. 2018",
        ),
        Reason(
            "he_normal starts",
            "weights of variance 2/inputs keep the signal from layer to layer where half of it is cut off",
            "He et al. 2015, equation 10",
        ),
        Reason(f"a small start on the output, {SMALL_START}", f"outputs begin near 0, and the loss at {start}"),
        Reason(
            f"dropout {DROPOUT}",
            f"each step leaves out a tenth of the units, so that {rows:,} rows are not learned by heart",
            "Srivastava et al. 2014",
        ),
    )


def _size(rows: int, depth: int) -> str:
    if depth == 1:
        return "too few rows to tell a second layer's use from chance"
    if rows < 10_000:
        return "two layers learn interactions of columns, and more units would mostly learn noise"
    return "two layers learn interactions of columns, and this many rows feed wider ones"
