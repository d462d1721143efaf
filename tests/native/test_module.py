"""native_lstm.LSTM as any program uses torch.nn.LSTM: the same values, shapes, dtypes and errors."""

import copy
import io
import pickle
import shutil
import threading
import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence
from torch.utils.checkpoint import checkpoint

from impls.native.module import LSTM
from tests.helpers import processes

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(shutil.which("g++") is None, reason="no g++"),
    pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN"),
]
TOLERANCE = {torch.float32: 4e-5, torch.float64: 1e-12, torch.float16: 2e-2, torch.bfloat16: 0.15}
DTYPES = [
    torch.float32,
    torch.float64,
    pytest.param(torch.float16, marks=pytest.mark.nightly),  # each is compiled for ten seconds
    pytest.param(torch.bfloat16, marks=pytest.mark.nightly),
]
randn = torch.randn


def outcome(kind, way, dtype, options):
    torch.manual_seed(0)
    module = kind(5, 7, dtype=dtype, **options)
    try:
        return way(module)
    except Exception as error:  # what nn.LSTM raises is wanted
        return error


def same(way, native=None, dtype=torch.float32, **options):
    """Whether a use of a module gives what it gives of torch.nn.LSTM; an error is of the same type."""
    want, got = (outcome(kind, way, dtype, options) for kind in (nn.LSTM, LSTM))
    if isinstance(want, Exception) or isinstance(got, Exception):
        assert type(got) is type(want), (got, want)
        return
    got, want = ([each for each in torch.utils._pytree.tree_leaves(made) if each is not None] for made in (got, want))
    assert len(got) == len(want) > 0
    for mine, theirs in zip(got, want, strict=True):
        assert (mine.shape, mine.dtype, mine.stride()) == (theirs.shape, theirs.dtype, theirs.stride())
        if theirs.numel() and not theirs.is_meta:
            most = TOLERANCE[theirs.dtype] * max(1, theirs.detach().double().abs().max().item())
            assert (mine.detach().double() - theirs.detach().double()).abs().max().item() <= most


def gradients(module, *given):
    """Everything that a call gives, and every gradient of it."""
    output, states = module(*given)
    data = output.data if isinstance(output, PackedSequence) else output
    loss = (data**2).sum() + states[0].sin().sum() + states[1].cos().sum()
    wanted = [each for each in module.parameters() if each.requires_grad]
    wanted += [each for each in given if isinstance(each, torch.Tensor) and each.requires_grad]
    return data, states, torch.autograd.grad(loss, wanted) if loss.requires_grad else None


def states(*shape, c=None):
    return randn(*shape), randn(*(c or shape))


PACKED = PackedSequence(torch.linspace(-2, 2, 30).view(6, 5), torch.tensor([3, 2, 1]))
X = torch.linspace(-2, 2, 30).view(3, 2, 5)
CALLS = {
    "batched": lambda: (X,),
    "with states": lambda: (X, states(1, 2, 7)),
    "unbatched": lambda: (X[:, 0],),
    "unbatched with states": lambda: (X[:, 0], states(1, 7)),
    "states as a list": lambda: (X, [*states(1, 2, 7)]),
    "packed": lambda: (PACKED,),
    "packed with states": lambda: (PACKED, states(1, 3, 7)),
    "packed in another order": lambda: (
        pack_sequence([randn(2, 5), randn(4, 5)], enforce_sorted=False),
        states(1, 2, 7),
    ),
    "packed in order": lambda: (pack_sequence([randn(4, 5), randn(2, 5)]),),
    "packed from padded": lambda: (pack_padded_sequence(X, torch.tensor([1, 3]), enforce_sorted=False),),
    "expanded": lambda: (X[:1].expand(4, 2, 5), [each.expand(1, 2, 7) for each in states(1, 1, 7)]),
    "strided": lambda: (randn(6, 4, 10)[::2, ::2, ::2],),
    "transposed": lambda: (randn(5, 2, 3).permute(2, 1, 0), [each.mT for each in states(1, 7, 2)]),
    "negative": lambda: (torch.complex(X, X).conj().imag,),
    "gradient of x": lambda: (X.clone().requires_grad_(),),
    "no rows": lambda: (X[:, :0],),
    "no steps": lambda: (X[:0],),
    "on meta": lambda: (X.to("meta"),),
    "x is wide": lambda: (randn(3, 2, 6),),
    "x is narrow": lambda: (randn(3, 2, 4),),
    "x has four dimensions": lambda: (X[None],),
    "x has one dimension": lambda: (X[0, 0],),
    "x of float64": lambda: (X.double(),),
    "x of whole numbers": lambda: (X.long(),),
    "states of another dtype": lambda: (X, [each.double() for each in states(1, 2, 7)]),
    "states of whole numbers": lambda: (X, [each.long() for each in states(1, 2, 7)]),
    "states without batch": lambda: (X, states(1, 7)),
    "states with batch of an unbatched x": lambda: (X[:, 0], states(1, 1, 7)),
    "h0 of another batch": lambda: (X, states(1, 3, 7, c=(1, 2, 7))),
    "c0 of another batch": lambda: (X, states(1, 2, 7, c=(1, 3, 7))),
    "states of too many layers": lambda: (X, states(2, 2, 7)),
    "one state": lambda: (X, states(1, 2, 7)[:1]),
    "three states": lambda: (X, states(1, 2, 7) * 2),
    "a tensor of states": lambda: (X, torch.stack(states(1, 2, 7))),
    "packed x is wide": lambda: (PackedSequence(randn(6, 400), PACKED.batch_sizes),),
    "packed x is narrow": lambda: (PackedSequence(randn(6, 3), PACKED.batch_sizes),),
    "packed x has one dimension": lambda: (PackedSequence(randn(6), PACKED.batch_sizes),),
    "packed rows are missing": lambda: (PackedSequence(randn(2, 5), torch.tensor([300, 200, 100])),),
    "packed rows grow": lambda: (PackedSequence(randn(6, 5), torch.tensor([1, 2, 3])),),
    "packed states are narrow": lambda: (PACKED, states(1, 3, 2)),
    "packed c0 is wide": lambda: (PACKED, states(1, 3, 7, c=(1, 3, 9))),
    "packed states are of a larger batch": lambda: (PACKED, states(1, 9, 7)),
    "packed states are of too many layers": lambda: (PACKED, states(3, 3, 7)),
    "packed states of whole numbers": lambda: (PACKED, [each.long() for each in states(1, 3, 7)]),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_call_and_its_gradients(call):
    same(lambda module: gradients(module, *CALLS[call]()))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "options",
    ["num_layers=3", "bidirectional=True", "proj_size=3", "bias=False", "batch_first=True",
     "num_layers=2, bidirectional=True, proj_size=3, batch_first=True"],
)  # fmt: skip
def test_options_and_dtypes(options, dtype):
    options = eval(f"dict({options})")
    layers = options.get("num_layers", 1) * (1 + options.get("bidirectional", False))
    batch = 3 if options.get("batch_first") else 2
    sizes = (layers, batch, options.get("proj_size", 7)), (layers, batch, 7)
    x, packed = X.to(dtype), PACKED._replace(data=PACKED.data.to(dtype))
    hx = [randn(size).to(dtype) for size in sizes]
    same(lambda module: gradients(module, x, hx), dtype=dtype, **options)
    same(lambda module: gradients(module, x[0]), dtype=dtype, **options)
    same(lambda module: gradients(module, packed), dtype=dtype, **options)
    if dtype == torch.float32 and layers > 1:
        same(lambda module: module(PACKED, states(layers - 1, 3, 7)), **options)


def after(change, *calls):
    """A module that is changed in some way, then called."""
    return lambda module: [gradients(change(module) or module, X) for _ in calls or "1"]


def saved(module):
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def taken_over(module):
    """A state_dict from each kind of module to the other."""
    other = {nn.LSTM: LSTM, LSTM: nn.LSTM}[type(module)](5, 7)
    other.load_state_dict(module.state_dict())
    return other


def frozen(*names):
    return lambda module: [getattr(module, f"{name}_l0").requires_grad_(False) for name in names] and None


def wrong_weight(name, *shape):
    return lambda module: setattr(module, f"{name}_l0", nn.Parameter(randn(shape)))


def hooked(module):
    module.register_forward_pre_hook(lambda _, given: (2 * given[0],))
    module.register_forward_hook(lambda _, __, made: (3 * made[0], made[1]))


def as_function(module):
    weights = {name: 2 * each for name, each in module.named_parameters()}
    return torch.func.functional_call(module, weights, (X,))


def double_backward(from_x=False):
    def way(module):
        x = X.double().requires_grad_()
        h0 = x.mean(0)[None].repeat(1, 1, 2)[..., :7] if from_x else randn(1, 2, 7).double().requires_grad_()
        wanted = [x, *([] if from_x else [h0]), *module.parameters()]
        first = torch.autograd.grad((module(x, (h0, h0))[0] ** 2).sum(), wanted, create_graph=True)
        return first, torch.autograd.grad(sum((each**2).sum() for each in first), wanted)

    return way


def in_place(way):
    def changed(module):
        output, (h_n, c_n) = module(PACKED if "packed" in way else X)
        output = output.data if "packed" in way else output
        (h_n if "h_n" in way else output).mul_(2)
        (output.sum() + h_n.sum() + c_n.sum()).backward()
        return output, [each.grad for each in module.parameters()]

    return changed


def twice(**options):
    def way(module):
        loss = module(X)[0].sum()
        loss.backward(**options)
        loss.backward()
        return [each.grad for each in module.parameters()]

    return way


def clipped(module):
    """Gradients that are changed where they are, as clipping does."""
    found = torch.autograd.grad(module(X)[0].sum(), list(module.parameters()))
    return torch._foreach_mul(found, 1), [each.mul_(2) for each in found]


def in_threads(module):
    made = []
    threads = [threading.Thread(target=lambda: made.append(gradients(module, X))) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return made


def batched_gradients(module):
    x = X.clone().requires_grad_()
    output, _ = module(x)
    return torch.autograd.grad(
        output, x, torch.stack([torch.ones_like(output), output.detach()]), is_grads_batched=True
    )


def forward_mode(module):
    with torch.autograd.forward_ad.dual_level():
        return module(torch.autograd.forward_ad.make_dual(X, X))


def without_a_warning(way):
    def quiet(module):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return way(module)

    return quiet


USES = {
    "deepcopy": after(copy.deepcopy),
    "copy": after(copy.copy),
    "pickle": after(lambda module: pickle.loads(pickle.dumps(module))),
    "torch.save": after(saved),
    "state_dict": after(taken_over),
    "to float64 and back": after(lambda module: module.double().float()),
    "DataParallel": lambda module: nn.DataParallel(module)(X),
    "hooks": after(hooked),
    "some weights frozen": after(frozen("weight_hh", "bias_ih")),
    "all weights frozen": after(frozen("weight_ih", "weight_hh", "bias_ih", "bias_hh")),
    "weight_norm": after(lambda module: parametrizations.weight_norm(module, "weight_hh_l0")),
    "parametrization": after(lambda module: parametrize.register_parametrization(module, "weight_ih_l0", nn.Tanh())),
    "equal weights": lambda module: setattr(module, "bias_hh_l0", module.bias_ih_l0) or gradients(module, X),
    "a bias of no numbers": after(wrong_weight("bias_hh", 0)),
    "another number of layers": after(lambda module: setattr(module, "num_layers", 2)),
    "another number of directions": after(lambda module: setattr(module, "bidirectional", True)),
    "functional_call": as_function,
    "no_grad": lambda module: torch.no_grad()(module)(X),
    "inference_mode": lambda module: torch.inference_mode()(module)(X),
    "eval": lambda module: gradients(module.eval(), X),
    "double backward": double_backward(),
    "double backward of states that depend on x": double_backward(from_x=True),
    "in-place change of h_n": in_place("h_n"),
    "in-place change of a single layer's output": in_place("output"),
    "backward twice": twice(),
    "retain_graph": twice(retain_graph=True),
    "clipping": clipped,
    "checkpoint": lambda module: checkpoint(module, X.clone().requires_grad_(), use_reentrant=False),
    "threads": in_threads,
    "batched gradients": batched_gradients,
    "forward mode": forward_mode,
    "torch.func.grad": lambda module: torch.func.grad(lambda x: module(x)[0].sum())(X),
    "torch.func.vmap": lambda module: torch.func.vmap(lambda x: module(x)[0])(X[None]),
    "torch.jit.trace": without_a_warning(lambda module: torch.jit.trace(module, X)(2 * X)),
    "torch.jit.script": without_a_warning(lambda module: torch.jit.script(nn.Sequential(module))(X)),
    "torch.export": without_a_warning(lambda module: torch.export.export(module, (X,)).module()(2 * X)),
    "torch.compile": without_a_warning(lambda module: torch.compile(module, backend="eager")(X)),
}


@pytest.mark.parametrize("use", USES)
def test_a_use(use):
    same(USES[use], dtype=torch.float64 if "double backward" in use else torch.float32)


def test_dropout_has_the_same_mask_for_the_same_seed():
    for x in (X, PACKED):
        same(lambda module, x=x: (gradients(module, x), torch.rand(3)), num_layers=3, dropout=0.4, bidirectional=True)
    same(lambda module: gradients(module.eval(), X), num_layers=2, dropout=0.4)


def test_an_output_that_was_changed_in_place_is_refused_where_torch_sometimes_takes_it():
    for options, way in (({"num_layers": 2, "bidirectional": True}, "output"), ({}, "packed")):
        with pytest.raises(RuntimeError, match="inplace"):
            in_place(way)(LSTM(5, 7, **options))


@pytest.mark.nightly
def test_under_autocast_the_output_is_float32_and_float64_stays():
    module = LSTM(5, 7)
    with torch.autocast("cpu"):
        assert module(X)[0].dtype == torch.float32
        same(lambda module: module(X.double()), dtype=torch.float64)
        same(lambda module: module(X.long()))


@pytest.mark.parametrize(
    ("given", "native", "why"),
    [
        (lambda: (X,), True, "float32 on the CPU"),
        (lambda: (X[:, 0], states(1, 7)), True, "float32"),
        (lambda: (PACKED,), True, "float32"),
        (lambda: (X[:, :0],), False, "empty"),
        (lambda: (X.as_subclass(type("Own", (torch.Tensor,), {})),), False, "Own"),
    ],
)
def test_path_tells_which_code_is_used(given, native, why):
    path = LSTM(5, 7).path(*given())
    assert path.native == native
    assert why in str(path)


def test_path_with_keywords_and_inside_of_a_transform():
    module = LSTM(5, 7)
    assert module.path(X, lengths=[1, 3]).native
    assert module.path(X, resets=torch.ones(3, 2, dtype=torch.bool)).native
    found = []
    torch.func.grad(lambda x: found.append(module.path(x)) or module(x)[0].sum())(X)
    assert not found[0].native
    with pytest.raises(RuntimeError, match="input_size"):
        module.path(randn(3, 2, 6))


@pytest.mark.parametrize(
    "keywords",
    [{"lengths": [3, 4]}, {"lengths": [0, 1]}, {"lengths": [1.0, 2.0]}, {"lengths": [3]}, {"lengths": [True, True]},
     {"resets": torch.ones(2, 3, dtype=torch.bool)}, {"resets": torch.ones(3, 2)}, {"resets": [[True] * 2] * 3},
     {"resets": torch.ones(3, 2, dtype=torch.bool), "lengths": [3, 2]}],
)  # fmt: skip
def test_wrong_keywords_are_refused(keywords):
    with pytest.raises((ValueError, RuntimeError, TypeError)):
        LSTM(5, 7)(X, **keywords)


@pytest.mark.parametrize(
    ("x", "hx"),
    [(randn(3, 2, 400), None), (X, states(1, 1, 2)), (X, states(2, 7)), (X, states(1, 9, 7)), (X.double(), None)],
)
def test_lengths_change_no_error_of_x_and_states(x, hx):
    want = outcome(nn.LSTM, lambda module: module(x, hx), torch.float32, {})
    assert type(outcome(LSTM, lambda module: module(x, hx, lengths=[3, 2]), torch.float32, {})) is type(want)


def in_a_process(code, **env):
    head = """
import os, signal, torch, warnings
from impls.native.module import LSTM
module, x = LSTM(5, 70), torch.ones(3, 64, 5)
"""
    return processes.python("-c", head + code, **env)


def test_a_forked_process_does_not_wait_for_threads_that_it_has_not():
    done = in_a_process("""
torch.set_num_threads(2)
assert module.path(x).native
want = module(x)[0]
child = os.fork()
if child == 0:
    signal.alarm(60)
    got = module(x)[0]
    os._exit(0 if got.tolist() == want.tolist() else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
""")
    assert done.returncode == 0, done.stderr


def test_without_memory_for_its_threads_it_raises():
    """An exception that leaves one of OpenMP's threads ends the process."""
    done = in_a_process("""
import resource
torch.set_num_threads(2)
module(x)
module = LSTM(100_000, 128)
x = torch.ones(1, 1, 100_000)
used = int(open("/proc/self/statm").read().split()[0]) * os.sysconf("SC_PAGESIZE")
resource.setrlimit(resource.RLIMIT_AS, (used + (60 << 20),) * 2)
try:
    with torch.no_grad():
        module(x)
except (MemoryError, RuntimeError):
    print("refused")
""")
    assert done.returncode == 0, done.stderr[-500:]


def test_without_a_compiler_it_warns_once_and_computes_by_torch(tmp_path):
    done = in_a_process(
        """
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    got = [module(x)[0] for _ in range(2)]
assert len(seen) == 1 and "no-such-compiler" in str(seen[0].message), seen
assert not module.path(x).native and "no-such-compiler" in str(module.path(x))
same = torch.nn.LSTM(5, 70)
same.load_state_dict(module.state_dict())
assert all(torch.equal(each, same(x)[0]) for each in got)
""",
        CXX="no-such-compiler",
        XDG_CACHE_HOME=str(tmp_path),
    )
    assert done.returncode == 0, done.stderr
