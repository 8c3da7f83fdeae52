"""Learns to spell: an LSTM reads numbers in words, letter by letter, and goes on by itself.

python examples/char_lstm.py [--torch | --compare]
"""

import random

from either_library import Task, main

ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen".split()
TENS = "twenty thirty forty fifty".split()
TEXT = " ".join([*ONES, *(f"{ten} {one}" for ten in TENS for one in ONES[1:10])]) + " "
LETTERS = sorted(set(TEXT))
HIDDEN, BATCH, LENGTH = 64, 16, 24


def make(ag):
    nn = ag.nn
    letters = ag.eye(len(LETTERS))
    codes = ag.tensor([LETTERS.index(letter) for letter in TEXT])

    class Speller(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(len(LETTERS), HIDDEN, batch_first=True)
            self.head = nn.Linear(HIDDEN, len(LETTERS))

        def forward(self, batch, state=None):
            """Scores of the next letter [B, T, letters] for letters [B, T], and the state after them."""
            one_hot = letters.index_select(0, batch.reshape(-1)).reshape(*batch.shape, -1)
            out, state = self.lstm(one_hot, state)
            return self.head(out), state

    model = Speller()
    pick = random.Random(0)

    def loss_of(step):
        starts = [pick.randrange(len(TEXT) - LENGTH - 1) for _ in range(BATCH)]
        rows = ag.stack([codes[start : start + LENGTH + 1] for start in starts])
        scores, _ = model(rows[:, :-1])
        return nn.functional.cross_entropy(
            scores.reshape(-1, len(LETTERS)), rows[:, 1:].reshape(-1)
        )

    def report():
        text, state = "twenty ", None
        code = ag.tensor([[LETTERS.index(letter) for letter in text]])
        with ag.no_grad():
            for _ in range(60):
                scores, state = model(code, state)
                code = scores[:, -1].argmax(1).reshape(1, 1)
                text += LETTERS[code.item()]
        words = text.split()[:-1]
        known = sum(word in {*ONES, *TENS} for word in words)
        return f"it writes: {text!r}; {known} of {len(words)} words exist", known == len(words)

    return Task(model, loss_of, report)


if __name__ == "__main__":
    main(make, steps=300, lr=1e-2)
