#!/usr/bin/env python3
"""The network that Tablewright turns into tables as a plain PyTorch module, and its export (FORMAT.md, "From PyTorch").

Copy this file into your project. Train a `Network` in whatever way you like: its input are segments as fractions,
float [windows, history, segments], oldest access first; its output the logits of the delta bitmap, float
[windows, outputs]. Then `export` it and run `tablewright tabularize NETWORK --trace TRACE -o MODEL`. Your own module may
be exported as well, if its parameters have, or are given, the names and shapes of this one's. Run as a program, this
file writes an untrained network to network.safetensors, to try the next steps with.
"""

import json
import math

import torch
from safetensors.torch import save_file
from torch import nn

# The reference network. All fields, and what they may be: FORMAT.md, "The metadata".
NETWORK = {
    "history": 10, "segments": 10, "positions": "absolute", "pool": "cls", "dim": 32, "layers": 1, "heads": 2,
    "head_dim": 32, "hidden": 32, "outputs": 256, "attention": "softmax", "activation": "gelu", "norm_eps": 1e-5,
}  # fmt: skip
INPUT = {"block_bits": 6, "segment_bits": 6, "pc_segments": 0, "lookahead": 128, "degree": 16, "filter": 16}


class Layer(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network
        dim, inner, eps = network["dim"], network["heads"] * network["head_dim"], network["norm_eps"]
        self.ln1 = nn.LayerNorm(dim, eps=eps)
        self.qkv = nn.Linear(dim, 3 * inner)
        self.out = nn.Linear(inner, dim)
        self.ln2 = nn.LayerNorm(dim, eps=eps)
        self.ff1 = nn.Linear(dim, network["hidden"])
        self.ff2 = nn.Linear(network["hidden"], dim)

    def forward(self, x, bias):
        """x: [windows, tokens, dim]; bias: what is added to the scores, [heads, 1, tokens] or 0."""
        windows, tokens, _ = x.shape
        # [3, windows, heads, tokens, head_dim]: all queries, all keys, all values, each head after head.
        qkv = self.qkv(self.ln1(x)).view(windows, tokens, 3, self.network["heads"], self.network["head_dim"])
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(2, 3) / math.sqrt(self.network["head_dim"]) + bias
        weights = scores.softmax(dim=3) if self.network["attention"] == "softmax" else scores.sigmoid()
        x = x + self.out((weights @ v).transpose(1, 2).reshape(windows, tokens, -1))
        hidden = self.ff1(self.ln2(x))
        hidden = nn.functional.gelu(hidden) if self.network["activation"] == "gelu" else hidden.relu()
        return x + self.ff2(hidden)


class Network(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network
        dim = network["dim"]
        self.embed = nn.Linear(network["segments"], dim)
        if network["pool"] == "cls":
            self.cls = nn.Parameter(torch.zeros(dim))
        tokens = network["history"] + (network["pool"] == "cls")
        rows, columns = (network["heads"], tokens) if network["positions"] == "relative" else (tokens, dim)
        self.pos = nn.Parameter(0.02 * torch.randn(rows, columns))
        self.layers = nn.ModuleList(Layer(network) for _ in range(network["layers"]))
        self.ln = nn.LayerNorm(dim, eps=network["norm_eps"])
        self.head = nn.Linear(dim, network["outputs"])

    def forward(self, windows):
        x, bias = self.embed(windows), 0
        if self.network["pool"] == "cls":
            x = torch.cat([self.cls.expand(len(x), 1, -1), x], dim=1)
        if self.network["positions"] == "relative":
            # Meant for the newest token's query; the other queries' outputs are not read (one layer, pool `last`).
            bias = self.pos[:, None, :]
        else:
            x = x + self.pos
        for layer in self.layers:
            x = layer(x, bias)
        pooled = {"cls": x[:, 0], "last": x[:, -1], "mean": x.mean(dim=1)}[self.network["pool"]]
        return self.head(self.ln(pooled))


def export(parameters, network, input, path, name="network", provenance=None):
    """Writes a network file: `parameters` is a module or a dictionary of tensors with the names of `Network`'s."""
    if isinstance(parameters, nn.Module):
        parameters = parameters.state_dict()
    entry = {"format": "network", "version": 1, "name": name, "network": network, "input": input}
    entry["provenance"] = {"made by": "export_pytorch.py", **(provenance or {})}
    # Copies: safetensors refuses tensors that share memory.
    tensors = {key: value.detach().float().cpu().clone().contiguous() for key, value in parameters.items()}
    save_file(tensors, path, metadata={"tablewright": json.dumps(entry)})


if __name__ == "__main__":
    export(Network(NETWORK), NETWORK, INPUT, "network.safetensors", provenance={"training": "none"})
