"""Files of plans taken apart into their parts, changed, and put together again with the right checksum.

`Parts.parse(data)` and `write()` know the format that lib/graph/plan_file.cpp writes; `mutant()` makes a file that is
wrong somewhere, and `soup()` one whose operations are any of the library's with any arguments.
"""

from __future__ import annotations

import random
import struct
from typing import Any

MAGIC = b"AGPLAN3\n"
EDGES = [0, 1, 2, 3, -1, -2, 7, 64, 255, 2**16, 2**24, 2**31 - 1, -(2**31), 2**31, 2**32, 2**40]
EDGES += [2**57, 2**62, 2**63 - 1, -(2**63)]
NEAR = [0, 1, 2, 3, 4, -1, -2, 5, 6]
REALS = [0.0, 1.0, -1.0, 0.5, 1e-30, 1e300, -1e300, float("nan"), float("inf"), 5e-324]
ITEM = [4, 8, 4, 8, 1, 1]  # bytes by dtype


def checksum(body: bytes) -> bytes:
    value = 14695981039346656037
    for byte in body:
        value = (value ^ byte) * 1099511628211 & (1 << 64) - 1
    return value.to_bytes(8, "little")


def sealed(body: bytes) -> bytes:
    """A file with this content and what has to stand in front of it."""
    return MAGIC + len(body).to_bytes(8, "little") + checksum(body) + body


class Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def u8(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def i64(self) -> int:
        self.at += 8
        return int.from_bytes(self.data[self.at - 8 : self.at], "little", signed=True)

    def real(self) -> float:
        self.at += 8
        return struct.unpack("<d", self.data[self.at - 8 : self.at])[0]

    def block(self) -> bytes:
        n = self.i64()
        self.at += n
        return self.data[self.at - n : self.at]

    def shape(self) -> list[int]:
        return [self.i64() for _ in range(self.u8())]

    def many(self, read: Any) -> list[Any]:
        return [read() for _ in range(self.i64())]


class Writer:
    def __init__(self) -> None:
        self.data = bytearray()

    def u8(self, value: int) -> None:
        self.data.append(value & 255)

    def i64(self, value: int) -> None:
        self.data += (value & (1 << 64) - 1).to_bytes(8, "little")

    def real(self, value: float) -> None:
        self.data += struct.pack("<d", value)

    def block(self, value: bytes) -> None:
        self.i64(len(value))
        self.data += value

    def shape(self, value: list[int]) -> None:
        self.u8(len(value))
        for each in value:
            self.i64(each)

    def many(self, values: list[Any], write: Any) -> None:
        self.i64(len(values))
        for each in values:
            write(each)


# A record is a dict of what stands in it, in this order; a list of one record is a list of them.
TENSOR = {"name": "block", "dtype": "u8", "grad": "u8", "sizes": "shape", "strides": "shape",
          "block": "i64", "offset": "i64"}  # fmt: skip
INPUT = {"dtype": "u8", "sizes": "shape", "strides": "shape", "grad": "u8", "ends": "u8"}
GRAD = {"of": "i64", "input": "i64", "start": "u8", "start_value": "i64", "is_set": "u8",
        "end_value": "i64"}  # fmt: skip
LEAF = {"role": "u8", "name": "block", "origin": "u8", "number": "i64"}
DENSE = {"dtype": "u8", "sizes": "shape", "is_number": "u8", "overwritten": "u8", "initial": "u8",
         "data": "block"}  # fmt: skip
OF_LEAF = {0: {"tensor": "i64"}, 1: {}, 2: DENSE, 3: {"strides": "shape"}, 4: DENSE}
OP = {"name": "block", "list0": "shape", "list1": "shape", "list2": "shape", "real0": "real",
      "real1": "real", "real2": "real", "int0": "i64", "int1": "i64", "int2": "i64",
      "inputs": ["i64"], "outputs": ["u8"], "in_place": "u8", "phase": "u8", "forward": "i64",
      "file": "block", "line": "i64"}  # fmt: skip
CAPTURE = {"grad_enabled": "u8", "inputs": [INPUT], "grads": [GRAD], "leaves": [LEAF], "ops": [OP],
           "outputs": ["i64"]}  # fmt: skip
PART = {"label": "block", "captures": [CAPTURE]}
FILE = {"blocks": ["block"], "tensors": [TENSOR], "parts": [PART]}


def read(reader: Reader, form: Any) -> Any:
    if isinstance(form, str):
        return getattr(reader, form)()
    if isinstance(form, list):
        return reader.many(lambda: read(reader, form[0]))
    record = {key: read(reader, each) for key, each in form.items()}
    if form is LEAF:
        record.update({k: read(reader, f) for k, f in OF_LEAF[record["origin"]].items()})
    return record


def write(writer: Writer, form: Any, value: Any) -> None:
    if isinstance(form, str):
        getattr(writer, form)(value)
    elif isinstance(form, list):
        writer.many(value, lambda each: write(writer, form[0], each))
    else:
        for key, each in form.items():
            write(writer, each, value[key])
        if form is LEAF:
            for key, each in OF_LEAF.get(value["origin"], {}).items():
                write(
                    writer,
                    each,
                    value.get(key, {"u8": 0, "i64": 0, "block": b"", "shape": []}[each]),
                )


def parse(data: bytes) -> dict[str, Any]:
    return read(Reader(data[len(MAGIC) + 16 :]), FILE)


def captures(parts: dict[str, Any]) -> list[Any]:
    """Those of all functions in the file."""
    return [capture for part in parts["parts"] for capture in part["captures"]]


def serialize(parts: dict[str, Any]) -> bytes:
    writer = Writer()
    write(writer, FILE, parts)
    return sealed(bytes(writer.data))


def places(form: Any, value: Any) -> list[tuple[Any, Any, Any]]:
    """Every number, text, shape and list in the tree: what holds it, its key, its form."""
    found: list[tuple[Any, Any, Any]] = []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in items:
        if isinstance(form, list):
            part = form[0]
        else:
            part = form.get(key) or OF_LEAF.get(value.get("origin", -1), {}).get(key)
        if part is None:
            continue
        found.append((value, key, part))
        if not isinstance(part, str):
            found += places(part, each)
    return found


def number(rng: random.Random) -> int:
    return rng.choice(NEAR if rng.random() < 0.7 else EDGES)


def change(rng: random.Random, names: list[bytes], holder: Any, key: Any, form: Any) -> None:
    """Puts something else there."""
    value = holder[key]
    if form == "u8":
        holder[key] = rng.choice([0, 1, 2, 3, 4, 5, 6, 255])
    elif form == "i64":
        holder[key] = value + rng.choice([-1, 1]) if rng.random() < 0.3 else number(rng)
    elif form == "real":
        holder[key] = rng.choice(REALS)
    elif form == "shape":
        shape = list(value)
        kind = rng.randrange(4)
        if kind == 0 and shape:
            shape[rng.randrange(len(shape))] = number(rng)
        elif kind == 1:
            shape.insert(rng.randrange(len(shape) + 1), number(rng))
        elif kind == 2 and shape:
            shape.pop(rng.randrange(len(shape)))
        else:
            rng.shuffle(shape)
        holder[key] = shape[:14]
    elif form == "block":
        kind = rng.randrange(4)
        if key == "name" and "inputs" in holder:
            holder[key] = rng.choice(names)
        elif kind == 0:
            holder[key] = value[: rng.randrange(len(value) + 1)]
        elif kind == 1:
            holder[key] = value + bytes(rng.randrange(9))
        elif value:
            at = rng.randrange(len(value))
            holder[key] = value[:at] + bytes([rng.randrange(256)]) + value[at + 1 :]
    elif isinstance(form, list) and value:
        at, kind = rng.randrange(len(value)), rng.randrange(4)
        if kind == 0:
            value.pop(at)
        elif kind == 1:
            value.insert(rng.randrange(len(value) + 1), value[at])
        elif kind == 2:
            value.append(value[at])
        else:
            other = rng.randrange(len(value))
            value[at], value[other] = value[other], value[at]


def mutant(rng: random.Random, data: bytes, others: list[bytes], names: list[bytes]) -> bytes:
    """A file of plans with one to three faults, and the right checksum for them."""
    kind = rng.random()
    body = data[len(MAGIC) + 16 :]
    if kind < 0.1:  # bytes
        at = rng.randrange(len(body))
        return sealed(body[:at] + bytes([body[at] ^ 1 << rng.randrange(8)]) + body[at + 1 :])
    if kind < 0.15:
        return sealed(body[: rng.randrange(len(body))])
    if kind < 0.2:
        other = rng.choice(others)[len(MAGIC) + 16 :]
        return sealed(body[: rng.randrange(len(body))] + other[rng.randrange(len(other)) :])
    parts = parse(data)
    if kind < 0.25:  # what another file has
        other = parse(rng.choice(others))
        key = rng.choice(["blocks", "tensors", "parts"])
        parts[key] = other[key] if rng.random() < 0.5 else parts[key] + other[key]
        return serialize(parts)
    for _ in range(rng.choice([1, 1, 2, 3])):
        all_places = places(FILE, parts)
        in_ops = [p for p in all_places if isinstance(p[0], dict) and "phase" in p[0]]
        holder, key, form = rng.choice(in_ops if in_ops and rng.random() < 0.5 else all_places)
        change(rng, names, holder, key, form)
    return serialize(parts)


# ---- any operation with any arguments ----

SIZES = [
    (),
    (1,),
    (2,),
    (3,),
    (4,),
    (2, 3),
    (3, 2),
    (3, 3),
    (2, 2),
    (2, 4),
    (3, 4),
    (2, 3, 3),
    (2, 3, 4),
]
SIZES += [
    (1, 3, 4),
    (2, 3, 4, 4),
    (3, 3, 2, 2),
    (2, 2, 4),
    (0, 3),
    (4, 1),
    (1, 1, 5),
    (2, 3, 4, 4, 4),
]


def leaf(rng: random.Random) -> dict[str, Any]:
    """A tensor that stands in the file."""
    dtype = rng.choice([0, 0, 0, 0, 1, 3, 3, 2, 4, 5])
    sizes = list(rng.choice(SIZES))
    count = 1
    for size in sizes:
        count *= size
    pack = {0: "f", 1: "d", 2: "i", 3: "q", 4: "B", 5: "B"}[dtype]
    values = {
        0: lambda: rng.uniform(0, 1),
        1: lambda: rng.choice([0.1, 0.9, 2.0, -1.0]),
        2: lambda: rng.choice([0, 1, 2, -1, 9]),
        3: lambda: rng.choice([0, 0, 1, 1, 2, -1, 3, 2**40]) if rng.random() < 0.3 else 0,
        4: lambda: rng.randrange(256),
        5: lambda: rng.randrange(2),
    }[dtype]
    data = struct.pack(f"<{count}{pack}", *[values() for _ in range(count)])
    return {"role": 2, "name": b"", "origin": 4, "number": -1, "dtype": dtype, "sizes": sizes,
            "is_number": int(not sizes and rng.random() < 0.5), "overwritten": 0,
            "initial": 1, "data": data}  # fmt: skip


def small(rng: random.Random) -> int:
    return rng.choice([0, 0, 1, 1, 2, 3, -1, 4]) if rng.random() < 0.95 else number(rng)


def call(rng: random.Random, name: bytes, n_values: int) -> dict[str, Any]:
    """A call of an operation with any arguments."""
    count = rng.choice([1, 1, 1, 2, 2, 2, 3, 3, 4, 5, 7, 8])
    lists = []
    for _ in range(3):
        fixed = list(rng.choice(SIZES)) if rng.random() < 0.5 else None
        lists.append(fixed or [small(rng) for _ in range(rng.choice([0, 1, 2, 2, 3, 3, 4, 6, 9]))])
    inputs = [rng.randrange(n_values) for _ in range(count)]
    if rng.random() < 0.1:
        inputs[rng.randrange(count)] = -1
    if rng.random() < 0.3:  # arguments that fit each other
        inputs = [inputs[0]] * count
    real = [rng.choice(REALS) for _ in range(3)]
    return {"name": name, "list0": lists[0], "list1": lists[1], "list2": lists[2], "real0": real[0],
            "real1": real[1], "real2": real[2], "int0": small(rng), "int1": small(rng),
            "int2": rng.choice([-1, -1, 0, 1, small(rng)]), "inputs": inputs,
            "outputs": [0] * rng.choice([1, 1, 1, 2, 2, 3, 4]),
            "in_place": int(name.endswith(b"_") or rng.random() < 0.05), "phase": 0, "forward": -1,
            "file": b"", "line": 0}  # fmt: skip


def soup(rng: random.Random, name: bytes) -> bytes:
    """A file with one operation of that name, and arguments of any kind."""
    leaves = [leaf(rng) for _ in range(6)]
    capture = {"grad_enabled": 1, "inputs": [], "grads": [], "leaves": leaves,
               "ops": [call(rng, name, len(leaves))], "outputs": []}  # fmt: skip
    capture["outputs"] = [len(leaves) + i for i in range(len(capture["ops"][0]["outputs"]))]
    return serialize(
        {"blocks": [], "tensors": [], "parts": [{"label": b"", "captures": [capture]}]}
    )
