"""Cases of unusual tensors, and of sizes that depend on values."""

from __future__ import annotations

from tests.frontend.capture_cases.case import GRU, Case

SPECTRUM = """
a = 2 * torch.pi * torch.arange(8)[:, None] * torch.arange(5) / 8
self.register_buffer("c", a.cos())
self.register_buffer("s", a.sin())
"""
TRANSFORMER = "self.blocks = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 8, 0.0, batch_first=True), 1{})"

CASES = (
    Case(
        "nested",
        "y = torch.nested.nested_tensor([x[0], x[0, :2]])\nreturn torch.nested.to_padded_tensor(y, 0.0)",
        "return torch.nn.utils.rnn.pad_sequence([x[0], x[0, :2]], batch_first=True)",
        "y = torch.nested.nested_tensor(",
        "torch.nn.utils.rnn.pad_sequence([a, b], batch_first=True)",
    ),
    Case(
        "padded-transformer",
        "m = torch.arange(3)[None] > (x[:, :1, 0] > 0.5).long()\nreturn self.blocks(x, src_key_padding_mask=m)",
        "m = torch.arange(3)[None] > (x[:, :1, 0] > 0.5).long()\n"
        "return torch.where(m[..., None], 0.0, self.blocks(x, src_key_padding_mask=m))",
        "return self.blocks(x, src_key_padding_mask=m)",
        "enable_nested_tensor=False",
        init=TRANSFORMER.format(""),
        rewrite_init=TRANSFORMER.format(", enable_nested_tensor=False"),
        code="EK213",
    ),
    Case(
        "packed",
        "lengths = (x[..., 0] > 0).sum(1).clamp(min=1)\n"
        "p = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)\n"
        "y, _ = self.gru(p)\n"
        "return nn.utils.rnn.pad_packed_sequence(y, batch_first=True, total_length=3)[0]",
        "lengths = (x[..., 0] > 0).sum(1).clamp(min=1)\n"
        "y, _ = self.gru(x)\n"
        "return torch.where((torch.arange(y.shape[1]) < lengths[:, None])[:, :, None], y, 0)",
        "y, _ = self.gru(p)",
        "torch.where((torch.arange(y.shape[1]) < lengths[:, None])[:, :, None], y, 0)",
        init=GRU,
    ),
    Case(
        "subclass",
        "return x.as_subclass(Boxes) + 1",
        "return x + 1",
        hint="keep plain tensors",
        top="import torch\nclass Boxes(torch.Tensor):\n    pass\n",
    ),
    Case(
        "data-attribute",
        "y = x.clone()\ny.data.mul_(2)\nreturn y + 1",
        "y = x * 2\nreturn y + 1",
        "y.data.mul_(2)",
        "x = x * 2",
    ),
    Case(
        "thread",
        "with ThreadPoolExecutor(1) as pool:\n    return pool.submit(self.linear, x).result()",
        "return self.linear(x)",
        "with ThreadPoolExecutor(1) as pool:",
        "call it: self.branch(x)",
    ),
    Case(
        "complex",
        "return torch.fft.rfft(x).abs()",
        "return ((x @ self.c) ** 2 + (x @ self.s) ** 2).sqrt()",
        hint="a = 2 * torch.pi",
        init=SPECTRUM,
        stage="lower",
        code="EK206",
    ),
    Case(
        "sparse",
        "return torch.sparse.mm(self.a, x[0])[None]",
        "return (self.a @ x[0])[None]",
        hint="self.register_buffer('a', a.to_dense())",
        init="self.register_buffer('a', torch.eye(3).to_sparse())",
        rewrite_init="self.register_buffer('a', torch.eye(3).to_sparse().to_dense())",
        stage="lower",
        code="EK206",
    ),
    Case(
        "boolean-mask",
        "return x[x > 0].sum()[None]",
        "return torch.where(x > 0, x, 0).sum()[None]",
        hint="torch.where(x > 0, x, 0)",
        stage="lower",
        code="EK206",
    ),
    Case(
        "boolean-mask",
        "y = torch.masked_select(x, x > 0)\nreturn (y.sum() / (x > 0).sum().clamp(min=1))[None]",
        "mask = x > 0\nreturn (torch.where(mask, x, 0).sum() / mask.sum().clamp(min=1))[None]",
        "y = torch.masked_select(x, x > 0)",
        "torch.where(mask, x, 0).sum() / mask.sum()",
        stage="lower",
        code="EK206",
    ),
    Case(
        "nonzero",
        "i = (x[0, 0] > 0).nonzero()[:, 0]\nreturn x[:, :, i].sum(-1)",
        "return torch.where(x[0, 0] > 0, x, 0).sum(-1)",
        "i = (x[0, 0] > 0).nonzero()[:, 0]",
        "torch.where(mask, x, 0)",
        stage="lower",
        code="EK206",
    ),
    Case(
        "unique",
        "labels = x.round().clamp(0, 3)\nreturn torch.unique(labels).sum()[None]",
        "labels = x.round().clamp(0, 3)\n"
        "present = (labels.flatten()[:, None] == torch.arange(4)).sum(0).clamp(max=1)\n"
        "return (present * torch.arange(4.0)).sum()[None]",
        "return torch.unique(labels).sum()[None]",
        "(labels.flatten()[:, None] == torch.arange(10)).sum(0)",
        stage="lower",
        code="EK206",
    ),
    Case(
        "repeat",
        "n = x[0].argmax(1)\nreturn x[0].repeat_interleave(n, dim=0).sum(0)",
        "n = x[0].argmax(1)\nends = n.cumsum(0)\nrow = (torch.arange(24)[:, None] >= ends).sum(1)\n"
        "rows = x[0][row.clamp(max=len(x[0]) - 1)]\n"
        "return torch.where((torch.arange(24) < ends[-1])[:, None], rows, 0).sum(0)",
        "return x[0].repeat_interleave(n, dim=0).sum(0)",
        "ends = n.cumsum(0)",
        stage="lower",
        code="EK206",
    ),
    Case(
        "tolist",
        "n = x[0].argmax(1)\nreturn torch.stack([x[0, i, k] for i, k in enumerate(n.tolist())])",
        "n = x[0].argmax(1)\nreturn x[0].gather(1, n[:, None]).squeeze(1)",
        "return torch.stack(",
        "x.gather(1, n[:, None]).squeeze(1)",
        stage="lower",
        code="EK206",
    ),
    Case(
        "value-slice",
        "n = x[0, 0].argmax()\nreturn x[..., :n].sum(-1)",
        "n = x[0, 0].argmax()\nreturn torch.where(torch.arange(x.shape[-1]) < n, x, 0).sum(-1)",
        "return x[..., :n].sum(-1)",
        "torch.where(torch.arange(x.shape[-1]) < n, x, 0)",
        stage="lower",
        code="EK206",
    ),
    Case(
        "value-slice",
        "n = x[0, 0].argmax()\nreturn x[..., :n]",
        "n = x[0, 0].argmax()\nreturn torch.where(torch.arange(x.shape[-1]) < n, x, 0)",
        "return x[..., :n]",
        "torch.where(torch.arange(x.shape[-1]) < n, x, 0)",
        code="EK212",
    ),
    Case(
        "value-size",
        "n = (x[0, 0] > 0).sum()\nreturn torch.arange(n).sum() + x",
        "n = (x[0, 0] > 0).sum()\nreturn torch.where(torch.arange(8) < n, torch.arange(8), 0).sum() + x",
        "return torch.arange(n).sum() + x",
        "torch.arange(LARGEST) < n",
        stage="lower",
        code="EK206",
    ),
    Case(
        "item",
        "return x / x.abs().max().item()",
        "return x / x.abs().max()",
        hint="x / x.max()",
        stage="lower",
        code="EK206",
    ),
)
