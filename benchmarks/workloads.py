"""What is trained: the sizes, the data, and the work that one epoch means in floating-point operations."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

LEARNING_RATE = 1e-3
"""Adam's, for everybody."""


@dataclass(frozen=True)
class Workload:
    """A network of dense layers with relu between them, and how it is trained.

    A timing trains twice, for ``few`` and for ``many`` epochs: the difference holds no start-up and no compilation.
    """

    says: str
    sizes: tuple[int, ...]
    rows: int
    batch: int
    few: int
    many: int
    members: int = 1

    @property
    def classes(self) -> bool:
        """Whether the targets are classes (cross-entropy) or numbers (mean squared error)."""
        return self.sizes[-1] > 1

    @property
    def flops(self) -> int:
        """Of one epoch: each weight is used forward, for dW and, except in the first layer, for dX."""
        weights = [n * units for n, units in pairwise(self.sizes)]
        return self.members * self.rows * 2 * (3 * sum(weights) - weights[0])

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and targets: noisy waves of standard normal columns, or the winners of a linear map of random pixels."""
        rng = np.random.default_rng(0)
        n, outputs = self.sizes[0], self.sizes[-1]
        W = rng.normal(size=(n, outputs)) / np.sqrt(n)
        if self.classes:
            X = rng.uniform(size=(self.rows, n))
            return X.astype(np.float32), np.argmax((X - 0.5) @ W, axis=1).astype(np.int32)
        X = rng.normal(size=(self.rows, n))
        y = np.sin(2 * X @ W) + 0.3 * rng.normal(size=(self.rows, outputs))
        return X.astype(np.float32), y.astype(np.float32)


TABLE = Workload("13-64-64-1, batch 32, 2,048 rows, mean squared error", (13, 64, 64, 1), 2048, 32, 10, 110)
WORKLOADS = {
    "a": TABLE,
    "b": Workload("784-256-128-10, batch 128, 6,400 rows, cross-entropy", (784, 256, 128, 10), 6400, 128, 2, 12),
    "c": Workload("784-1024-1024-10, batch 256, 2,560 rows, cross-entropy", (784, 1024, 1024, 10), 2560, 256, 1, 7),
    "e": Workload("16 networks of (a) as an ensemble", TABLE.sizes, TABLE.rows, TABLE.batch, 10, 110, members=16),
}
WHOLE = Workload("13-64-64-1, batch 32, 1,000 rows, 200 epochs", TABLE.sizes, 1000, 32, 0, 200)
