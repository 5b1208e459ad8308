"""Networks exported from PyTorch, with windows, labels and the logits that PyTorch gives: for pytorch.rs.

    python3 pytorch.py MODELS FOLDER

MODELS is the folder of export_pytorch.py and FORMAT.md, whose code for a module of one's own is run as it stands there.
"""

import pathlib
import re
import sys

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

models, folder = map(pathlib.Path, sys.argv[1:])
sys.path.insert(0, str(models))
import export_pytorch  # noqa: E402

SMALL = {
    **export_pytorch.NETWORK, "history": 6, "segments": 3, "dim": 12, "head_dim": 5, "hidden": 14, "outputs": 16,
}  # fmt: skip
INPUT = export_pytorch.INPUT
UNIT = 2.0 ** INPUT["segment_bits"]


def sample(network, count):
    """Random windows and labels that are learned in a few steps: output i is on if the newest access is beyond a limit."""
    windows = torch.randint(64, (count, network["history"], network["segments"]))
    limits = torch.linspace(10, 50, network["outputs"])
    return windows, windows[:, -1, :1] > limits


def shake(module):
    """Weights far from any initial value, so that no parameter can be left out or taken for another."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return module


def train(module, network, steps=100):
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    for _ in range(steps):
        windows, labels = sample(network, 256)
        loss = nn.functional.binary_cross_entropy_with_logits(module(windows / UNIT), labels.float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return module


class Encoder(nn.Module):
    """What people have: PyTorch's own encoder, whose parameters have other names."""

    def __init__(self, network):
        super().__init__()
        dim = network["dim"]
        self.project = nn.Linear(network["segments"], dim)
        self.positions = nn.Parameter(torch.randn(1, network["history"], dim))
        layer = nn.TransformerEncoderLayer(
            dim, network["heads"], network["hidden"], dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, network["layers"])
        self.norm = nn.LayerNorm(dim)
        self.classifier = nn.Linear(dim, network["outputs"])

    def forward(self, windows):
        return self.classifier(self.norm(self.encoder(self.project(windows) + self.positions).mean(dim=1)))

    def parameters_there(self):
        text = (models / "FORMAT.md").read_text()
        code = re.search(r"### From PyTorch\n.*?```python\n(.*?)```", text, re.DOTALL).group(1)
        scope = {}
        exec(code, scope)
        parameters = scope["layers"](self.encoder)
        parameters["pos"] = self.positions.reshape(self.positions.shape[1:])
        for theirs, ours in [("project", "embed"), ("norm", "ln"), ("classifier", "head")]:
            for part, tensor in getattr(self, theirs).state_dict().items():
                parameters[f"{ours}.{part}"] = tensor
        return parameters


def write(name, module, parameters, network):
    windows, labels = sample(network, 640)
    module.eval()
    with torch.no_grad():
        logits = module(windows / UNIT)
    export_pytorch.export(parameters, network, INPUT, folder / f"{name}.safetensors", name=name)
    windows.numpy().astype(np.uint8).tofile(folder / f"{name}.windows")
    logits.numpy().astype("<f4").tofile(folder / f"{name}.logits")
    np.packbits(labels.numpy(), axis=1, bitorder="little").tofile(folder / f"{name}.labels")


def main():
    torch.manual_seed(1)
    torch.set_num_threads(1)
    for name, choices in {
        "cls": {},
        "mean-sigmoid": {"pool": "mean", "attention": "sigmoid", "activation": "relu", "layers": 2, "heads": 3},
        "last": {"pool": "last", "layers": 2, "norm_eps": 0.01},
        "relative": {"pool": "last", "positions": "relative", "heads": 3},
        "relative-sigmoid": {"pool": "last", "positions": "relative", "attention": "sigmoid", "activation": "relu"},
    }.items():
        network = {**SMALL, **choices}
        module = shake(export_pytorch.Network(network))
        write(name, module, module, network)

    module = export_pytorch.Network(SMALL)
    module.layers[0].qkv = nn.Linear(12, 30, bias=False)
    write("trained", train(module, SMALL), module, SMALL)

    network = {**SMALL, "pool": "mean", "head_dim": 6, "layers": 2}
    module = shake(Encoder(network))
    write("encoder", module, module.parameters_there(), network)

    # The two ways to save that are not an export.
    save_file(module.state_dict(), folder / "state-dict")
    torch.save(module.state_dict(), folder / "checkpoint")


main()
