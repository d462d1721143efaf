"""Random calls of native_lstm.LSTM: the values of torch.nn.LSTM, or a refusal; never a crash or another answer.

Calls run in processes of their own, so that a crash is a failure that names its seed. To repeat one:
`python -c "from tests.native import test_fuzz; test_fuzz.run(SEED, 1)"`.
"""

from __future__ import annotations

import copy
import functools
import os
import random
import shutil
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from impls.native.module import LSTM
from tests.helpers import processes

pytestmark = [pytest.mark.process, pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")]
TOLERANCE = {torch.float32: 4e-5, torch.float64: 1e-12, torch.float16: 2e-2, torch.bfloat16: 0.15}
HALF = [torch.float16, torch.bfloat16]
NIGHTLY = 1000
"""Calls from this seed on are also in HALF, each of which is compiled for ten seconds."""
BATCHES = 2


@pytest.mark.parametrize("batch", range(BATCHES))
def test_some_calls(batch):
    fuzz(75 * batch, 75)


@pytest.mark.nightly
@pytest.mark.parametrize("batch", range(25))
def test_many_calls(batch):
    fuzz(NIGHTLY + 100 * batch, 100)


def fuzz(first, count):
    code = f"from tests.native import test_fuzz; test_fuzz.run({first}, {count})"
    done = processes.python("-W", "ignore", "-c", code)
    last = done.stdout.splitlines()[-1:]
    assert done.returncode == 0, f"exit status {done.returncode} in {last}: {done.stderr[-2000:]}"


def run(first, count):
    """Make some calls; exit with 1 after any that went wrong. The last line of stdout names the call at the time."""
    wrong = 0
    for seed in range(first, first + count):
        case = Case(seed)
        print(seed, case, flush=True)
        try:
            case.check()
        except AssertionError as error:
            wrong += 1
            print(f"seed {seed}, {case}: {str(error)[:300]}", file=sys.stderr, flush=True)
    sys.exit(wrong > 0)


class Case:
    """A call, drawn by a seed. One that is malformed may be refused even where torch.nn.LSTM takes it."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        torch.manual_seed(seed)
        choose, chance = self.random.choice, self.chance
        torch.set_num_threads(choose([1, 2, 3, 4]))
        hidden = choose([1, 2, 3, 7, 8, 16, 17, 33, 70])
        self.dtype = choose([torch.float32] * 4 + [torch.float64] * 2 + (HALF if seed >= NIGHTLY else []))
        options = {
            "input_size": choose([1, 2, 3, 5, 16, 31, 65]),
            "hidden_size": hidden,
            "num_layers": choose([1, 1, 2, 3]),
            "bias": chance(0.8),
            "batch_first": chance(0.4),
            "bidirectional": chance(0.4),
            "proj_size": self.random.randrange(1, hidden) if hidden > 1 and chance(0.3) else 0,
        }
        several = options["num_layers"] > 1 and self.dtype.itemsize > 2
        dropout = choose([0.3, 1.0]) if several and chance(0.3) else 0.0
        self.kind = choose(["full"] * 3 + ["unbatched", "packed", "packed", "unsorted", "unsorted", "by hand"]
                           + ["lengths", "lengths", "resets"])  # fmt: skip
        if self.kind in ("resets", "lengths"):  # where the reference draws other masks
            dropout = 0.0
            options["bidirectional"] = chance(0.1)
        self.torch = nn.LSTM(**options, dropout=dropout, dtype=self.dtype)
        for parameter in self.torch.parameters():
            parameter.requires_grad_(chance(0.9))
        self.ours = LSTM(**options, dropout=dropout, dtype=self.dtype)
        self.ours.load_state_dict(self.torch.state_dict())
        for mine, theirs in zip(self.ours.parameters(), self.torch.parameters(), strict=True):
            mine.requires_grad_(theirs.requires_grad)
        if chance(0.1):
            for module in (self.torch, self.ours):
                module.register_forward_pre_hook(lambda _, given: (doubled(given[0]), *given[1:]))
                module.register_forward_hook(lambda _, __, made: (doubled(made[0]), made[1]))
        self.steps, self.batch = choose([1, 2, 3, 5, 9]), choose([1, 2, 3, 4, 5, 8, 13, 50])
        self.way = choose(["gradients"] * 5 + ["no_grad", "inference", "threads", "fork"])
        self.wrong = choose(WRONG) if chance(0.3) else ""
        if self.wrong == "keyword" and self.kind not in ("lengths", "resets"):
            self.wrong = ""
        self.malformed = bool(self.wrong) or self.kind == "by hand"
        self.draw_arguments()

    def __str__(self):
        return f"{self.torch} {self.dtype} T={self.steps} B={self.batch} {self.kind} {self.way} {self.wrong}"

    def chance(self, probability):
        return self.random.random() < probability

    def drawn(self, *shape, plain=False):
        """Numbers in some layout of memory; a size of -1 is one too many for any machine."""
        if -1 in shape:
            return torch.zeros(1, dtype=self.dtype).expand(*(1 << 42 if size == -1 else size for size in shape))
        layouts = ["plain", "plain", "turned", "strided", "expanded", "negative"]
        layout = "plain" if plain else self.random.choice(layouts)
        if layout == "turned":
            return torch.randn(*shape[::-1]).to(self.dtype).permute(*range(len(shape))[::-1])
        if layout == "strided":
            return torch.randn(*shape[:-1], 2 * shape[-1]).to(self.dtype)[..., ::2]
        if layout == "expanded":
            return torch.randn(*shape[1:]).to(self.dtype).expand(*shape)
        if layout == "negative" and self.dtype.itemsize > 2:
            return torch.randn(*shape, dtype=self.dtype.to_complex()).conj().imag
        return torch.randn(*shape).to(self.dtype)

    def draw_arguments(self):
        """Draw what both are called with; one thing of it is wrong where `wrong` says so."""
        module, wrong, choose = self.torch, self.wrong, self.random.choice
        batch = 1 if self.kind == "unbatched" else self.batch
        steps, rows, width = self.steps, batch, module.input_size
        width = {"x is wide": width + 1, "x is very wide": width + 1000, "x is narrow": width - 1}.get(wrong, width)
        steps = {"no steps": 0, "too many steps": -1}.get(wrong, steps)
        rows = 0 if wrong == "no rows" else rows
        x = self.drawn(*((rows, steps) if module.batch_first else (steps, rows)), width)
        if wrong == "x is of another dtype":
            x = x.to(choose([torch.float64 if self.dtype == torch.float32 else torch.float32, torch.int64, torch.bool]))
        x = x.to("meta") if wrong == "x is on meta" else x
        self.keywords = {}
        if self.kind == "unbatched":
            x = x.select(0 if module.batch_first else 1, 0) if rows else x.flatten(0, 1)
        lengths = [self.random.randint(1, self.steps) for _ in range(batch)]
        if self.kind in ("packed", "unsorted") and steps > 0 and x.numel() > 0 and not x.is_meta:
            lengths = sorted(lengths, reverse=True) if self.kind == "packed" else lengths
            x = pack_padded_sequence(x, torch.tensor(lengths), module.batch_first, enforce_sorted=self.kind == "packed")
        if self.kind == "by hand":
            sizes = choose([[3, 2, 1], [1, 2, 3], [3, 3, 0], [0], [], [2, -1], [5], [batch] * self.steps, [1 << 40]])
            count = choose([sum(sizes), sum(sizes) + 1, 0, 1]) if sum(sizes) < 1 << 40 else 3
            shape = choose([(max(count, 0), width)] * 4 + [(max(count, 0),), (2, 3, width)])
            sizes = torch.tensor(sizes, dtype=choose([torch.int64] * 3 + [torch.float64]))
            order = choose([None, None, torch.arange(batch).flip(0), torch.full((3,), 99)])
            x = PackedSequence(self.drawn(*shape, plain=True), sizes, order, order)
        if self.kind == "lengths":
            bad = [[number] * batch for number in (0, -1, self.steps + 1, 1.0, True)] + [[*lengths, 1], "ab", 3]
            self.keywords["lengths"] = choose(bad) if wrong == "keyword" else choose([list, torch.tensor])(lengths)
        if self.kind == "resets":
            resets = torch.rand(x.shape[:2], device="cpu") < 0.4 if steps >= 0 else torch.ones(1, 1, dtype=torch.bool)
            bad = [resets.float(), resets[:, :, None], resets[:-1], resets.tolist(), 1, resets.to_sparse()]
            self.keywords["resets"] = choose(bad) if wrong == "keyword" else resets
        self.input, self.hx = x, None
        if self.chance(0.6) or wrong.startswith("states"):
            self.hx = self.draw_states(batch)

    def draw_states(self, batch):
        module, wrong = self.torch, self.wrong
        layers = module.num_layers * (2 if module.bidirectional else 1)
        sizes = [[layers, batch, module.proj_size or module.hidden_size], [layers, batch, module.hidden_size]]
        change = {"states of more": 1, "states of fewer": -1, "states of many more": 500}.get(wrong)
        if change:
            axis = self.random.randrange(3)
            for size in self.random.choice([sizes, sizes[:1], sizes[1:]]):
                size[axis] = max(0, size[axis] + change)
        states = [self.drawn(*size) for size in sizes]
        if self.kind == "unbatched":
            states = [each[:, 0] if each.shape[1] else each for each in states]
        if wrong == "states of the other number of dimensions":
            states = [each[None] if each.dim() == 2 else each.flatten(0, 1) for each in states]
        if wrong == "states of another dtype":
            which = self.random.choice([torch.int64, torch.bool, torch.float64, torch.float16])
            states = [each.to(which) if self.chance(0.7) else each for each in states]
        if wrong == "states of other kinds":
            return self.random.choice([states[:1], states * 2, [None, None], states[0], [states[0], 3]])
        return tuple(states)

    def called(self, module, keywords):
        """Call a module, and where gradients are wanted, its backward; everything it gives, by name."""
        torch.manual_seed(1)
        module.zero_grad()
        needs = [] if self.way != "gradients" or not self.leaves else [leaf(each) for each in self.leaves]
        given, hx = self.input, self.hx
        if needs:
            data, *states = needs
            given = given._replace(data=data) if isinstance(given, PackedSequence) else data
            hx = tuple(states) if states else hx
        with torch.set_grad_enabled(self.way == "gradients"), torch.inference_mode(self.way == "inference"):
            output, (h_n, c_n) = module(given, hx, **keywords)
            made = {"output": output.data if isinstance(output, PackedSequence) else output, "h_n": h_n, "c_n": c_n}
            if needs:
                waves = [torch.sin(torch.arange(each.numel()).view(each.shape)) for each in made.values()]
                sum((each * wave).sum() for each, wave in zip(made.values(), waves, strict=True)).backward()
                made |= {f"grad_{at}": each.grad for at, each in enumerate(needs)}
                made |= {f"grad_{name}": each.grad for name, each in module.named_parameters() if each.requires_grad}
        made = {name: each for name, each in made.items() if each is not None}
        return {name: each.detach() for name, each in made.items()}

    @property
    def leaves(self):
        """What gets gradients besides the weights."""
        data = self.input.data if isinstance(self.input, PackedSequence) else self.input
        states = self.hx if isinstance(self.hx, tuple) else ()
        given = [data, *states]
        return given if all(isinstance(each, torch.Tensor) and each.is_floating_point() for each in given) else []

    def wanted(self, module):
        """What torch.nn.LSTM gives for these arguments; it has neither lengths nor resets."""
        if isinstance(self.input, PackedSequence):
            check_packed(module, self.input, self.hx)
        if not self.keywords:
            return self.called(module, {})
        inner = Steps(module) if self.kind == "resets" else Packed(module)
        return self.called(inner, self.keywords)

    def own(self, module):
        return self.called(module, self.keywords)

    def check(self):
        want = outcome(self.wanted, self.torch)
        if not isinstance(want, Exception) and self.dtype.itemsize == 2:  # its own rounding is the larger part
            rounded = want
            exact = copy.deepcopy(self)
            exact.dtype = torch.float64
            exact.input = self.input.to(torch.float64)
            exact.hx = self.hx and tuple(each.double() if each.is_floating_point() else each for each in self.hx)
            want = {name: each.to(self.dtype) for name, each in exact.wanted(exact.torch.double()).items()}
            assert [each.shape for each in want.values()] == [each.shape for each in rounded.values()]
        if self.way == "fork" and not isinstance(want, Exception) and not self.malformed:
            return self.check_in_child(want)
        if self.way == "threads" and not self.torch.dropout:
            with ThreadPoolExecutor(4) as pool:
                modules = [copy.copy(self.ours) for _ in range(8)]
                found = list(pool.map(functools.partial(outcome, self.own), modules))
        else:
            found = [outcome(self.own, self.ours)]
        for got in found:
            self.compare(got, want)
        return None

    def compare(self, got, want):
        if isinstance(want, Exception):
            assert isinstance(got, Exception), f"no error; torch.nn.LSTM has {want!r}"
            return
        if isinstance(got, Exception):
            assert self.malformed, f"{got!r}; torch.nn.LSTM has none"
            return
        assert got.keys() == want.keys()
        for name, each in want.items():
            mine = got[name]
            assert (mine.shape, mine.dtype, mine.device) == (each.shape, each.dtype, each.device), name
            if each.numel() == 0 or each.is_meta:
                continue
            most = TOLERANCE.get(each.dtype, 0) * max(1.0, each.double().abs().max().item())
            difference = (mine.double() - each.double()).abs().max().item()
            assert difference <= most, f"{name} differs by {difference}"

    def check_in_child(self, want):
        """Make the call in a forked process, after one in this process."""
        self.compare(self.own(self.ours), want)
        if self.kind == "lengths" or not self.ours.path(self.input, self.hx, **self.keywords).native:
            return  # operators of PyTorch itself wait for its threads, which are not there
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            status = 1
            try:
                got = self.own(self.ours)
                torch.set_num_threads(1)  # of PyTorch's own operators, which would wait for theirs
                self.compare(got, want)
                status = 0
            finally:
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status == 0, f"a forked process ends with {status}"


WRONG = [
    "x is wide", "x is very wide", "x is narrow", "x is of another dtype", "x is on meta", "no steps", "no rows",
    "too many steps", "states of more", "states of fewer", "states of many more", "states of another dtype",
    "states of the other number of dimensions", "states of other kinds", "keyword", "keyword", "keyword",
]  # fmt: skip


def outcome(call, module):
    """What a call gives, or its exception."""
    try:
        return call(module)
    except Exception as error:
        return error


def doubled(x):
    return x._replace(data=2 * x.data) if isinstance(x, PackedSequence) else 2 * x


def leaf(x):
    """The same numbers in the same layout, as a tensor that gets a gradient."""
    return x.detach().requires_grad_()


def check_packed(module, packed, hx):
    """Raise where they do not fit: torch.nn.LSTM does not look, and then may crash or read beyond its arrays."""
    rows = packed.batch_sizes
    module.check_input(packed.data, rows)
    least = 1 if len(packed.data) else 0
    if rows.dtype != torch.int64 or (rows < least).any() or (rows.diff() > 0).any() or rows.sum() != len(packed.data):
        raise ValueError("batch_sizes")
    if hx is not None:
        hx = module.permute_hidden(hx, packed.sorted_indices)
        if len(hx) != 2:
            raise ValueError("states")
        module.check_forward_args(packed.data, hx, rows)


class Around(nn.Module):
    """A keyword of native_lstm, by a torch.nn.LSTM."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def named_parameters(self, *given, **options):
        return self.module.named_parameters(*given, **options)


class Packed(Around):
    def forward(self, x, hx, lengths):
        if not isinstance(lengths, list | torch.Tensor) or torch.as_tensor(lengths).dtype != torch.int64:
            raise TypeError("lengths")
        steps = x.shape[1 if self.module.batch_first else 0]
        if x.dim() != 3 or max(lengths) > steps:
            raise ValueError("lengths")
        packed = pack_padded_sequence(x, torch.as_tensor(lengths), self.module.batch_first, enforce_sorted=False)
        if hx is not None and hx[1].dim() != 3:
            raise RuntimeError("states")
        check_packed(self.module, packed._replace(sorted_indices=None), hx)
        output, states = self.module(packed, hx)
        return pad_packed_sequence(output, self.module.batch_first, total_length=steps)[0], states


class Steps(Around):
    def forward(self, x, hx, resets):
        module = self.module
        if not isinstance(resets, torch.Tensor) or resets.is_sparse or resets.dtype != torch.bool:
            raise TypeError("resets")
        if resets.shape != x.shape[:2] or x.numel() == 0 or x.is_meta:
            raise ValueError("resets")
        if module.bidirectional:
            raise ValueError("resets go with one direction")
        sizes = module.proj_size or module.hidden_size, module.hidden_size
        if hx is None:
            hx = [x.new_zeros(module.num_layers, resets.shape[0 if module.batch_first else 1], size) for size in sizes]
        module.check_forward_args(x, hx, None)  # before they are multiplied
        made, along = [], 1 if module.batch_first else 0
        for step, fresh in zip(x.split(1, along), resets.split(1, along), strict=True):
            output, hx = module(step, tuple(each * ~fresh.reshape(1, -1, 1) for each in hx))
            made.append(output)
        return torch.cat(made, along), hx
