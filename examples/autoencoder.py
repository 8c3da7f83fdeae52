"""Squeezes handwritten digits of 64 pixels into 8 numbers and draws them again.

python examples/autoencoder.py [--torch | --compare]
"""

import random

from either_library import Task, main

from autograd.datasets import load_digits

CODE, BATCH = 8, 64


def make(ag):
    nn = ag.nn
    train, test = load_digits().split()
    images = ag.tensor(train.data.tolist()).reshape(-1, 64)
    test_images = ag.tensor(test.data.tolist()).reshape(-1, 64)

    class Autoencoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, CODE))
            self.decoder = nn.Sequential(
                nn.Linear(CODE, 48), nn.ReLU(), nn.Linear(48, 64), nn.Sigmoid()
            )

        def forward(self, x):
            return self.decoder(self.encoder(x))

    model = Autoencoder()
    pick = random.Random(0)

    def loss_of(step):
        rows = ag.tensor([pick.randrange(len(images)) for _ in range(BATCH)])
        batch = images.index_select(0, rows)
        return nn.functional.mse_loss(model(batch), batch)

    def report():
        with ag.no_grad():
            drawn = model(test_images)
            kept = 1 - (((drawn - test_images) ** 2).mean() / test_images.var(0).mean()).item()
        for line in range(8):
            pictures = [test_images[0].tolist(), drawn[0].tolist()]
            print(
                "    ".join(
                    "".join(" .:*#"[min(4, int(p * 5))] * 2 for p in picture[8 * line :][:8])
                    for picture in pictures
                )
            )
        return f"{CODE} numbers keep {kept:.1%} of the variance of 64 pixels", kept > 0.6

    return Task(model, loss_of, report)


if __name__ == "__main__":
    main(make, steps=1000, lr=3e-3)
