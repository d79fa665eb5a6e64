"""Network: depth, width, activation and start, from the size of the table.

Sources: Gorishniy et al. 2021 (the MLP baseline); Elfwing et al. 2018 (silu); He et al. 2015, equation 10 (the start);
Srivastava et al. 2014 (dropout).
"""

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


def dropout_of(rows: int) -> float:
    """The share of the units that rest: a fifth below 2,000 rows, a tenth above, where more of it costs accuracy.

    >>> dropout_of(500), dropout_of(20_000)
    (0.2, 0.1)
    """
    return 0.2 if rows < 2_000 else 0.1


def hidden(width: int, depth: int, dropout: float) -> tuple:
    """The hidden layers, each an affine map, its activation and dropout."""
    return (Dense(width, init=he_normal), silu, Dropout(dropout)) * depth


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
    width, depth, dropout = width_of(rows, outputs), depth_of(rows), dropout_of(rows)
    net = Chain(
        *entrance(embedded, others=columns > len(embedded)),
        *hidden(width, depth, dropout),
        Dense(outputs, init=SMALL_START),
    )
    return net, (
        Reason(
            f"{depth} hidden layer{'s' if depth > 1 else ''} of {width} units",
            _size(rows, depth, width, outputs),
            "Gorishniy et al. 2021",
        ),
        Reason(
            "silu between them",
            "smooth, and its units do not die as those of relu can",
            "Elfwing et al. 2018",
        ),
        Reason(
            "he_normal starts",
            "variance 2/inputs keeps the signal where half is cut off",
            "He et al. 2015",
        ),
        Reason(f"{SMALL_START} on the output", f"the first loss is {start}"),
        Reason(
            f"dropout {dropout}",
            f"units that rest make {rows:,} rows harder to memorize",
            "Srivastava et al. 2014",
        ),
    )


def _size(rows: int, depth: int, width: int, outputs: int) -> str:
    if width > width_of(rows, 1):
        return f"twice the {outputs} outputs" if width == 2 * outputs else f"wide, for {outputs:,} outputs"
    if depth == 1:
        return f"{rows} rows are too few for a second"
    return f"for interactions; {rows:,} rows feed {'no more' if rows < 10_000 else 'them'}"
