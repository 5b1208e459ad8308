#!/usr/bin/env python3
"""Writes a table model for Tablewright, as described in FORMAT.md. Needs numpy and safetensors, nothing else.

For a network that is to be trained, or was trained, in PyTorch see export_pytorch.py instead: Tablewright makes the tables.

This is the example to copy for an exporter of your own. It takes a float network (here with random weights, where yours
would be trained), runs example windows through it kernel by kernel, chooses prototypes among what each kernel sees,
fills the tables with the products of prototypes and weights, and goes on with the tables' outputs. The model predicts
nothing useful, but all its sizes, values and codes are those of a real one.

    python3 write_model.py -o odd.safetensors --dim 24 --heads 1 --head-dim 24 --prototypes 8 --subspaces 3 \\
        --history 7 --outputs 96 --attention sigmoid --bits 4
"""

import argparse
import json
import math

import numpy as np
from safetensors.numpy import save_file

WINDOWS = 256  # example windows
FIT_ROWS = 4096  # vectors that prototypes are chosen from, at most

# ---------------------------------------------------------------------------------------------------------------------
# Encoders (FORMAT.md, "Encoders"). Each is a dictionary of tensors, a function from vectors to codes, and for every
# subspace the K prototypes that the codes stand for.


def subspace(features, count, c):
    """The features that subspace c owns: contiguous, the first `features % count` subspaces one wider."""
    base, wider = divmod(features, count)
    start = c * base + min(c, wider)
    return slice(start, start + base + (c < wider))


class TreeEncoder:
    """A balanced tree for each subspace, every node split at the median of the vectors that reach it."""

    def __init__(self, rows, spec, rng):
        count, k = spec["subspaces"], spec["prototypes"]
        levels = k.bit_length() - 1
        self.split = np.zeros((count, levels), np.int32)
        self.threshold = np.zeros((count, k - 1), np.float32)
        self.prototypes = []
        for c in range(count):
            own = subspace(rows.shape[1], count, c)
            # A node that no vector reaches behaves as its parent; its median is then still defined.
            reached = [rows]
            for level in range(levels):
                spread = sum(node[:, own].var(axis=0) for node in reached)
                dimension = own.start + int(np.argmax(spread))
                self.split[c, level] = dimension
                children = []
                for m, node in enumerate(reached):
                    threshold = np.float32(np.median(node[:, dimension]))
                    self.threshold[c, 2**level - 1 + m] = threshold
                    right = node[:, dimension] >= threshold
                    for child in (node[~right], node[right]):
                        children.append(child if len(child) else node)
                reached = children
            self.prototypes.append(np.stack([node[:, own].mean(axis=0) for node in reached]))

    def encode(self, rows):
        codes = np.zeros((len(rows), len(self.split)), np.int64)
        for c, dimensions in enumerate(self.split):
            for level, dimension in enumerate(dimensions):
                heap = 2**level - 1 + codes[:, c]
                codes[:, c] = 2 * codes[:, c] + (rows[:, dimension] >= self.threshold[c, heap])
        return codes

    def tensors(self):
        return {"split": self.split, "threshold": self.threshold}


class NearestEncoder:
    """The nearest of K prototypes in each subspace; the prototypes are vectors of the examples, slightly moved."""

    def __init__(self, rows, spec, rng):
        k, count = spec["prototypes"], spec["subspaces"]
        self.power = {"l1": 1, "l2": 2}[spec["encoder"]]
        chosen = rows[rng.integers(len(rows), size=k)]
        chosen = chosen + 0.05 * rows.std() * rng.standard_normal(chosen.shape)
        self.matrix = chosen.astype(np.float32)
        self.own = [subspace(rows.shape[1], count, c) for c in range(count)]
        self.prototypes = [self.matrix[:, own].astype(np.float64) for own in self.own]

    def encode(self, rows):
        codes = np.zeros((len(rows), len(self.own)), np.int64)
        for start in range(0, len(rows), 512):  # in pieces, for the memory that the differences take
            piece = slice(start, start + 512)
            for c, own in enumerate(self.own):
                difference = np.abs(rows[piece, None, own] - self.prototypes[c])
                codes[piece, c] = (difference**self.power).sum(axis=2).argmin(axis=1)
        return codes

    def tensors(self):
        return {"prototypes": self.matrix}


def fit(rows, spec, rng):
    """An encoder for vectors like these."""
    if len(rows) > FIT_ROWS:
        rows = rows[rng.choice(len(rows), FIT_ROWS, replace=False)]
    return (TreeEncoder if spec["encoder"] == "tree" else NearestEncoder)(rows, spec, rng)


# ---------------------------------------------------------------------------------------------------------------------
# Kernels (FORMAT.md, "What a model computes").


class Writer:
    """Collects tensors and the entries of `kernels`."""

    def __init__(self, options, rng):
        self.options, self.rng = options, rng
        self.tensors, self.kernels = {}, {}

    def kernel(self, name, features):
        """Chooses the kernel's K, C, encoder and bits: here the same for all, but C is never above the features."""
        self.kernels[name] = {
            "encoder": self.options.encoder,
            "prototypes": self.options.prototypes,
            "subspaces": min(self.options.subspaces, features),
            "bits": self.options.bits,
        }
        return self.kernels[name]

    def put(self, name, array):
        array = np.ascontiguousarray(array)
        self.tensors[name] = array if array.dtype == np.int32 else array.astype(np.float32)

    def encoder(self, name, rows, spec):
        encoder = fit(rows, spec, self.rng)
        for part, tensor in encoder.tensors().items():
            self.put(f"{name}.{part}", tensor)
        return encoder, encoder.encode(rows)

    def table(self, name, encoder, codes, weight, bias):
        """The table of y = weight·x + bias, and y as the table gives it."""
        table = np.stack(
            [
                prototypes @ weight[:, subspace(weight.shape[1], len(encoder.prototypes), c)].T
                for c, prototypes in enumerate(encoder.prototypes)
            ]
        )
        self.put(f"{name}.table", table)
        self.put(f"{name}.bias", bias)
        return sum(table[c, codes[:, c]] for c in range(len(table))) + bias

    def linear(self, name, x, weight, bias):
        """x: [..., features] -> [..., outputs]"""
        rows = x.reshape(-1, x.shape[-1])
        encoder, codes = self.encoder(f"{name}.encoder", rows, self.kernel(name, rows.shape[1]))
        return self.table(name, encoder, codes, weight, bias).reshape(*x.shape[:-1], -1)

    def pair(self, name, left, right, of_left=lambda p: p, scale=1.0):
        """left: [..., a, features], right: [..., b, features] -> of_left(left)·right * scale: [..., a, b]"""
        spec = self.kernel(name, left.shape[-1])
        encoders, codes = [], []
        for part, x in (("left", left), ("right", right)):
            encoder, flat = self.encoder(f"{name}.{part}", x.reshape(-1, x.shape[-1]), spec)
            encoders.append(encoder)
            codes.append(flat.reshape(*x.shape[:-1], -1))
        table = np.stack(
            [of_left(p) @ q.T * scale for p, q in zip(encoders[0].prototypes, encoders[1].prototypes)]
        )
        self.put(f"{name}.table", table)
        (i, j) = (codes[0][..., :, None, :], codes[1][..., None, :, :])
        return sum(table[c, i[..., c], j[..., c]] for c in range(len(table)))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


gelu = np.vectorize(lambda x: x * 0.5 * (1 + math.erf(x / math.sqrt(2))), otypes=[np.float64])


def norm(x, eps):
    """Layer normalisation without its affine part, which belongs into the linear kernel that follows (see `fold`)."""
    return (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + eps)


def fold(weight, bias, gamma, beta):
    """W·(gamma * x + beta) + b = (W * gamma)·x + (W·beta + b)"""
    return weight * gamma, weight @ beta + bias


# ---------------------------------------------------------------------------------------------------------------------


def windows(network, segment_bits, rng):
    """[WINDOWS, history, segments]: accesses with a constant stride from anywhere, as integers / 2^segment_bits."""
    history, segments = network["history"], network["segments"]
    first = rng.integers(1 << 36, size=(WINDOWS, 1))
    stride = rng.choice([-3, -1, 1, 2, 5, 16], size=(WINDOWS, 1))
    block = (first + stride * np.arange(history)) & ((1 << 58) - 1)
    parts = [(block >> min(s * segment_bits, 63)) % (1 << segment_bits) for s in range(segments)]
    return np.stack(parts, axis=2) / (1 << segment_bits)


def make(options):
    """The tensors and the metadata entry of a model."""
    rng = np.random.default_rng(options.seed)
    network = {
        "history": options.history,
        "segments": options.segments,
        "pool": options.pool,
        "dim": options.dim,
        "layers": options.layers,
        "heads": options.heads,
        "head_dim": options.head_dim,
        "hidden": options.hidden or options.dim,
        "outputs": options.outputs,
        "attention": options.attention,
        "activation": options.activation,
        "norm_eps": 1e-5,
    }
    dim, heads, head_dim = network["dim"], network["heads"], network["head_dim"]
    tokens = network["history"] + (network["pool"] == "cls")
    eps = network["norm_eps"]
    out = Writer(options, rng)

    # In place of trained weights.
    def dense(outputs, inputs):
        return rng.standard_normal((outputs, inputs)) / np.sqrt(inputs), 0.1 * rng.standard_normal(outputs)

    def dense_after_norm(outputs):
        gamma, beta = 1 + 0.1 * rng.standard_normal(dim), 0.1 * rng.standard_normal(dim)
        return fold(*dense(outputs, dim), gamma, beta)

    # [windows, tokens, dim]
    weight, bias = dense(dim, network["segments"])
    x = out.linear("embed", windows(network, options.segment_bits, rng), 2 * weight, bias)
    position = 0.5 * rng.standard_normal((tokens, dim))
    out.put("position", position)
    if network["pool"] == "cls":  # row 0 of `position` is the whole token: a learned constant plus its position
        x = np.concatenate([np.zeros((len(x), 1, dim)), x], axis=1)
    x = x + position

    for layer in range(network["layers"]):
        name = f"layers.{layer}"
        # One encoder, three tables.
        normed = norm(x, eps).reshape(-1, dim)
        encoder, codes = out.encoder(f"{name}.qkv.encoder", normed, out.kernel(f"{name}.qkv", dim))
        q, k, v = (
            out.table(f"{name}.{part}", encoder, codes, *dense_after_norm(heads * head_dim))
            .reshape(-1, tokens, heads, head_dim)
            .transpose(0, 2, 1, 3)  # [windows, heads, tokens, head_dim]
            for part in "qkv"
        )
        scores = out.pair(f"{name}.score", q, k, scale=1 / np.sqrt(head_dim))
        columns = v.transpose(0, 1, 3, 2)  # [windows, heads, head_dim, tokens]
        if network["attention"] == "softmax":
            mixed = out.pair(f"{name}.mix", softmax(scores), columns)
        else:
            mixed = out.pair(f"{name}.mix", scores, columns, of_left=sigmoid)
        mixed = mixed.transpose(0, 2, 1, 3).reshape(-1, tokens, heads * head_dim)
        x = x + out.linear(f"{name}.out", mixed, *dense(dim, heads * head_dim))

        hidden = out.linear(f"{name}.ff1", norm(x, eps), *dense_after_norm(network["hidden"]))
        hidden = gelu(hidden) if network["activation"] == "gelu" else np.maximum(hidden, 0)
        x = x + out.linear(f"{name}.ff2", hidden, *dense(dim, network["hidden"]))

    if network["pool"] == "mean":
        pooled = x.mean(axis=1)
    else:
        pooled = x[:, 0 if network["pool"] == "cls" else -1]
    weight, bias = dense_after_norm(network["outputs"])
    # A bias low enough that few of the deltas are predicted, as in a trained model.
    out.linear("head", norm(pooled, eps), weight, bias - 1.5)

    entry = {
        "format": "table-model",
        "version": 1,
        "name": options.name,
        "network": network,
        "input": {
            "block_bits": 6,
            "segment_bits": options.segment_bits,
            "pc_segments": 0,
            "lookahead": 128,
            "degree": 16,
            "filter": 16,
        },
        "threshold": options.threshold,
        "activation_bits": options.activation_bits,
        "kernels": out.kernels,
        "provenance": {"made by": f"write_model.py, seed {options.seed}, untrained"},
    }
    return out.tensors, entry


def size(text):
    if int(text) < 1:
        raise ValueError
    return int(text)


def main():
    parser = argparse.ArgumentParser(
        description="Writes an untrained table model of any shape. Limits of all values: FORMAT.md.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("-o", "--output", required=True, metavar="MODEL", help="safetensors file to write")
    parser.add_argument("--name", default="example", help="name of the model")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights and example windows")
    sizes = parser.add_argument_group("network")
    sizes.add_argument("--history", type=size, default=10, help="accesses in the window, T")
    sizes.add_argument("--segments", type=size, default=10, help="segments of an access")
    sizes.add_argument("--segment-bits", type=size, default=6, help="bits of a segment")
    sizes.add_argument("--pool", choices=["cls", "last", "mean"], default="cls", help="token that feeds the head")
    sizes.add_argument("--dim", type=size, default=16, help="width of the residual stream, D")
    sizes.add_argument("--layers", type=size, default=1, help="attention layers, L")
    sizes.add_argument("--heads", type=size, default=2, help="attention heads, H")
    sizes.add_argument("--head-dim", type=size, default=16, help="width of one head")
    sizes.add_argument("--hidden", type=int, default=0, help="width of the feed-forward block, 0: that of --dim")
    sizes.add_argument("--outputs", type=size, default=256, help="bits of the delta bitmap, even")
    sizes.add_argument("--attention", choices=["softmax", "sigmoid"], default="softmax", help="scores to weights")
    sizes.add_argument("--activation", choices=["gelu", "relu"], default="gelu", help="of the feed-forward block")
    tables = parser.add_argument_group("tables")
    tables.add_argument("--encoder", choices=["tree", "l2", "l1"], default="tree", help="how inputs become codes")
    tables.add_argument("--prototypes", type=size, default=16, help="prototypes per subspace, K, a power of two")
    tables.add_argument("--subspaces", type=size, default=1, help="subspaces, C; lowered where features are fewer")
    tables.add_argument("--bits", type=int, choices=[4, 6, 8, 12, 16, 32], default=8, help="bits of a table entry")
    tables.add_argument("--activation-bits", type=size, default=16, help="bits of the values between kernels")
    tables.add_argument("--threshold", type=float, default=0.5, help="probability above which a delta is predicted")
    options = parser.parse_args()
    if options.prototypes < 2 or options.prototypes & (options.prototypes - 1):
        parser.error(f"--prototypes is {options.prototypes}, it must be a power of two")
    tensors, entry = make(options)
    save_file(tensors, options.output, metadata={"tablewright": json.dumps(entry)})
    print(f"{options.output}: {len(tensors)} tensors, {sum(tensor.nbytes for tensor in tensors.values())} bytes")


if __name__ == "__main__":
    main()
