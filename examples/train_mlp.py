"""Tells three kinds of iris apart by their measurements: a 4-16-3 network, trained in Python.

python examples/train_mlp.py
"""

import csv
import sys
from pathlib import Path

import autograd as ag
from autograd import nn


def load(path: Path) -> tuple[ag.Tensor, ag.Tensor]:
    """Measurements scaled to mean 0 and variance 1, and species 0, 1, 2."""
    with path.open() as file:
        rows = list(csv.reader(line for line in file if not line.startswith("#")))
    x = ag.tensor([[float(number) for number in row[:4]] for row in rows])
    return (x - x.mean(0)) / x.var(0).sqrt(), ag.tensor([int(row[4]) for row in rows])


def main() -> int:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("iris.csv")
    x, species = load(path)
    # Every third flower is kept for the test.
    test_x, test_species = x[2::3], species[2::3]
    train_x, train_species = ag.cat([x[0::3], x[1::3]]), ag.cat([species[0::3], species[1::3]])

    ag.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3))
    loss_of = nn.CrossEntropyLoss()
    optimizer = ag.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for step in range(1, 201):
        loss = loss_of(model(train_x), train_species)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            print(f"step {step}: loss {loss.item():.4f}")

    with ag.no_grad():
        right = (model(test_x).argmax(1) == test_species).sum().item()
    print(f"test accuracy {right / 50:.2f} ({right} of 50 flowers)")
    return 0 if right >= 46 else 1


if __name__ == "__main__":
    sys.exit(main())
