"""A transformer with two blocks learns to write a row of digits backwards.

python examples/tiny_transformer.py [--torch | --compare]
"""

import random

from either_library import Task, main

DIGITS, LENGTH = 10, 6
SEPARATOR = DIGITS
WIDTH, HEADS, BLOCKS, BATCH = 32, 2, 2, 32
TOTAL = 2 * LENGTH  # what the model reads: the row, the separator, all but the last of the answer


def make(ag):
    nn = ag.nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
            self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
            self.out = nn.Linear(WIDTH, WIDTH)
            self.mlp = nn.Sequential(
                nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH)
            )

        def attend(self, x):
            batch, length, _ = x.shape
            parts = self.qkv(x).reshape(batch, length, 3 * HEADS, WIDTH // HEADS).transpose(1, 2)
            q, k, v = parts.chunk(3, 1)
            y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            return self.out(y.transpose(1, 2).reshape(batch, length, WIDTH))

        def forward(self, x):
            x = x + self.attend(self.norm1(x))
            return x + self.mlp(self.norm2(x))

    class Transformer(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens = nn.Parameter(ag.empty(DIGITS + 1, WIDTH))
            self.places = nn.Parameter(ag.empty(TOTAL, WIDTH))
            nn.init.normal_(self.tokens, std=0.5)
            nn.init.normal_(self.places, std=0.5)
            self.blocks = nn.ModuleList([Block() for _ in range(BLOCKS)])
            self.norm = nn.LayerNorm(WIDTH)
            self.head = nn.Linear(WIDTH, DIGITS)

        def forward(self, batch):
            """Scores of the next digit [B, T, DIGITS] for tokens [B, T]."""
            x = self.tokens.index_select(0, batch.reshape(-1)).reshape(*batch.shape, WIDTH)
            x = x + self.places[: batch.shape[1]]
            for block in self.blocks:
                x = block(x)
            return self.head(self.norm(x))

    model = Transformer()
    pick = random.Random(0)

    def rows(n):
        digits = [[pick.randrange(DIGITS) for _ in range(LENGTH)] for _ in range(n)]
        return ag.tensor([row + [SEPARATOR] + row[::-1] for row in digits])

    def loss_of(step):
        batch = rows(BATCH)
        scores = model(batch[:, :-1])[:, LENGTH:]
        return nn.functional.cross_entropy(
            scores.reshape(-1, DIGITS), batch[:, LENGTH + 1 :].reshape(-1)
        )

    def report():
        batch = rows(100)
        written = batch[:, : LENGTH + 1]
        with ag.no_grad():
            for _ in range(LENGTH):
                written = ag.cat([written, model(written)[:, -1:].argmax(2)], 1)
        right = sum(a == b for a, b in zip(written.tolist(), batch.tolist()))
        return f"{right} of 100 new rows are written backwards without a fault", right > 90

    return Task(model, loss_of, report)


if __name__ == "__main__":
    main(make, steps=500, lr=3e-3)
