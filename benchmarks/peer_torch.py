"""PyTorch as its users write it for a CPU: eager, fused Adam, rows shuffled by one index an epoch, no DataLoader."""

from itertools import pairwise

import torch

from machine import physical_cores
from serving import Train, serve
from workloads import LEARNING_RATE, Workload


def network(sizes: tuple[int, ...]) -> torch.nn.Sequential:
    layers: list[torch.nn.Module] = []
    for n, units in pairwise(sizes):
        dense = torch.nn.Linear(n, units)
        torch.nn.init.xavier_uniform_(dense.weight)
        torch.nn.init.zeros_(dense.bias)
        layers += [dense, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def trainer(work: Workload) -> Train:
    torch.set_num_threads(physical_cores())
    X, y = map(torch.from_numpy, work.data())
    y = y.long() if work.classes else y
    loss_of = torch.nn.functional.cross_entropy if work.classes else torch.nn.functional.mse_loss

    def train(epochs: int) -> float:
        torch.manual_seed(0)
        net = network(work.sizes)
        optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE, fused=True)
        total = torch.zeros(())
        for _ in range(epochs):
            order = torch.randperm(work.rows)
            total = torch.zeros(())
            for x, t in zip(X[order].split(work.batch), y[order].split(work.batch), strict=True):
                optimizer.zero_grad()
                loss = loss_of(net(x), t)
                loss.backward()
                optimizer.step()
                total += loss.detach() * len(x)
        return total.item() / work.rows

    return train


if __name__ == "__main__":
    serve(trainer)
