"""Usage: with_torch.py DATA.npz FOLDER. Train, save, print the training loss."""

import sys

import numpy as np
import torch
from torch import nn

data, folder = np.load(sys.argv[1]), sys.argv[2]
X, y = torch.from_numpy(data["X"]), torch.from_numpy(data["y"])
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(13, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
for layer in net[::2]:
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True)
total = torch.zeros(())
for _ in range(200):
    order = torch.randperm(len(X))
    total = torch.zeros(())
    for x, t in zip(X[order].split(32), y[order].split(32), strict=True):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(net(x), t)
        loss.backward()
        optimizer.step()
        total += loss.detach() * len(x)
torch.save(net.state_dict(), f"{folder}/net.pt")
print(total.item() / len(X))
