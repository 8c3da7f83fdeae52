"""Reads handwritten digits, 8x8 pixels, with a small convolutional network.

python examples/digits_cnn.py [--torch | --compare]
"""

import random

from either_library import Task, main

from autograd.datasets import load_digits

BATCH = 32


def make(ag):
    nn = ag.nn
    train, test = load_digits().split()
    images = ag.tensor(train.data.tolist()).reshape(-1, 1, 8, 8)
    labels = ag.tensor(train.target.tolist())
    test_images = ag.tensor(test.data.tolist()).reshape(-1, 1, 8, 8)
    test_labels = ag.tensor(test.target.tolist())

    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * 4 * 4, 10),
    )
    pick = random.Random(0)

    def loss_of(step):
        rows = ag.tensor([pick.randrange(len(labels)) for _ in range(BATCH)])
        scores = model(images.index_select(0, rows))
        return nn.functional.cross_entropy(scores, labels.index_select(0, rows))

    def report():
        model.eval()
        with ag.no_grad():
            right = (model(test_images).argmax(1) == test_labels).sum().item()
        model.train()
        share = right / len(test_labels)
        return f"{share:.1%} of {len(test_labels)} digits it never saw are read right", share > 0.95

    return Task(model, loss_of, report)


if __name__ == "__main__":
    main(make, steps=300, lr=3e-3)
