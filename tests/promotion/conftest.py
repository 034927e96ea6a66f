"""A real pt2 model, made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """A real pt2 model folder as MLflow writes it, with a dynamic batch, an embedding and a gather by index."""
    import mlflow.pytorch
    import numpy as np
    import torch
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(6, 2)
            self.register_buffer("mean", torch.zeros(3))
            self.table = torch.nn.Embedding(5, 3)

        def forward(self, x):
            rows = x.shape[0]
            window = (torch.arange(rows)[:, None] - torch.arange(4)[None, :]).clamp(min=0)
            earlier = (x - self.mean)[window].mean(dim=1)
            codes = x[:, 0].long().clamp(0, 4)
            return torch.softmax(self.linear(torch.cat([earlier, self.table(codes)], dim=1)), dim=1)

    folder = tmp_path_factory.mktemp("exported") / "model"
    signature = ModelSignature(Schema([TensorSpec(np.dtype("float32"), (-1, 3))]), Schema([TensorSpec(np.dtype("float32"), (-1, 2))]))
    example = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    mlflow.pytorch.save_model(
        Net().eval(), folder, serialization_format="pt2", signature=signature, input_example=example, pip_requirements=["torch"]
    )
    return folder


@pytest.fixture
def model(exported, tmp_path):
    """A copy of the pt2 model to spoil."""
    return Path(shutil.copytree(exported, tmp_path / "model"))
