"""Cases of tensors that become Python values."""

from __future__ import annotations

from tests.frontend.capture_cases.case import Case

CASES = (
    Case(
        "constant-buffer",
        "if self.flag:\n    return x + 1\nreturn x",
        "if self.flag:\n    return x + 1\nreturn x",
        "if self.flag:",
        "self.flag = True in __init__",
        init="self.register_buffer('flag', torch.tensor(True))",
        rewrite_init="self.flag = True",
    ),
    Case(
        "constant-buffer",
        "return x[..., : int(self.steps)]",
        "return x[..., : self.steps]",
        hint="keep it as a Python number",
        init="self.register_buffer('steps', torch.tensor(2))",
        rewrite_init="self.steps = 2",
    ),
    Case(
        "shape-arithmetic",
        "return x.reshape(int(torch.tensor(x.shape).prod()))",
        "return x.reshape(x.numel())",
        hint="x.numel()",
    ),
    Case("float", "return x / float(x.abs().max())", "return x / x.abs().max()", hint="write return x / x.abs().max()"),
    Case("float", "return x * math.sqrt(x.max().abs())", "return x * torch.sqrt(x.max().abs())", hint="torch.sqrt"),
    Case(
        "int",
        "n = int(x[0, 0].argmax())\nreturn x[..., :n].sum(-1)",
        "n = x[0, 0].argmax()\nreturn torch.where(torch.arange(x.shape[-1]) < n, x, 0).sum(-1)",
        "n = int(x[0, 0].argmax())",
        "torch.where(torch.arange(x.shape[-1]) < n, x, 0)",
    ),
    Case(
        "int",
        "n = int(x[0, 0].argmax())\nreturn x[..., n]",
        "n = x[0, 0].argmax()\nreturn x.index_select(-1, n.reshape(1)).squeeze(-1)",
        "n = int(x[0, 0].argmax())",
        "x.index_select(-1, n.reshape(1)).squeeze(-1)",
    ),
    Case("bool", "return x * bool(x.max() > 0)", "return x * (x.max() > 0)", hint="write return x * (x.max() > 0)"),
    Case(
        "one-hot",
        "return F.one_hot(torch.cat([x[0].argmax(1), torch.tensor([7])])).float()",
        "labels = torch.cat([x[0].argmax(1), torch.tensor([7])])\n"
        "return (labels[..., None] == torch.arange(8)).float()",
        hint="num_classes=10",
    ),
    Case(
        "tensor-of-tensors",
        "return torch.tensor([x.max(), x.min()])",
        "return torch.stack([x.max(), x.min()])",
        hint="torch.stack([x.max(), x.min()])",
    ),
    Case("format", "print(f'{x.mean():.3f}')\nreturn x + 1", "return x + 1", "print(f'{x.mean():.3f}')", "delete"),
    Case("numpy", "return torch.from_numpy(np.tanh(x.numpy()))", "return torch.tanh(x)", hint="torch.tanh(x)"),
    Case("numpy", "return x * float(np.asarray(x).max())", "return x * x.amax()", hint="x.amax() for np.max"),
    Case("copy", "return copy.deepcopy(x) + 1", "return x.clone() + 1", hint="x.clone()"),
    Case("copy", "return pickle.loads(pickle.dumps(x)) + 1", "return x.clone() + 1", hint="x.clone()"),
    Case("memory", "return x + (x.data_ptr() == 0)", "return x + 0", hint="torch's own operators"),
    Case(
        "memory",
        "return torch.ops.house.twice(x)",
        "return 2 * x",
        hint="torch's own operators",
        top="import torch\n@torch.library.custom_op('house::twice', mutates_args=())\n"
        "def twice(x: torch.Tensor) -> torch.Tensor:\n    return 2 * x\n",
    ),
    Case(
        "dependent-size",
        "return x / max(len(x[x > 0]), 1)",
        "mask = x > 0\nn = mask.sum()\nreturn x / n.clamp(min=1)",
        hint="n = mask.sum()",
    ),
    Case(
        "dependent-size",
        "y = x[x > 0]\nif y.shape[0] == 0:\n    return x\nreturn x + 1",
        "mask = x > 0\nreturn torch.where(mask.any(), x + 1, x)",
        "if y.shape[0] == 0:",
        "torch.where(mask.any(), A, B)",
    ),
    Case(
        "float",
        "return F.interpolate(x, scale_factor=float(x[0, 0].argmax() * 0 + 2))",
        "return F.interpolate(x, scale_factor=2.0)",
        hint="keep the tensor",
    ),
    Case(
        "tensor-of-tensors",
        "i = x[0, 0].argmax()\nreturn x[..., [i, i]]",
        "i = x[0, 0].argmax()\nreturn x[..., torch.stack([i, i])]",
        "return x[..., [i, i]]",
        "x[torch.stack([i, j])]",
    ),
)
