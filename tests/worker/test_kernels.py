"""Which kernel ran: what the profilers and logs of the libraries say, and that it changes with what really runs."""

import re

import pytest
import torch

from benchmarks.worker import kernels, profiling
from impls import numpy_lstm
from impls.core import operators, registry
from impls.core.contract import Prepared
from impls.core.problem import Problem
from impls.core.weights import make_inputs, make_weights

ONEDNN = """onednn_verbose,v1,info,cpu,runtime:OpenMP,nthr:2
onednn_verbose,v1,primitive,exec,cpu,rnn,brgemm:avx512_core,forward_training,src_layer_f32::blocked:abc::f0,,alg:vanilla_lstm,l1t64mb16sic128slc128dhc128dlc128,1.25
onednn_verbose,v1,primitive,exec,cpu,reorder,jit:uni,undef,src_f32::blocked:ab::f0 dst_f32::blocked:ba::f0,,,512x128,9.5
onednn_verbose,primitive,exec,cpu,matmul,brg_matmul:avx512_core,undef,src_f32::blocked:ab::f0,,,16x128:128x512,0.25
"""
MKL = """MKL_VERBOSE oneMKL 2024.0 Product build for Intel(R) 64 architecture, Lnx 2.10GHz lp64 gnu_thread
MKL_VERBOSE SGEMM(T,N,512,16,128,0x7ffd,0x55,128,0x66,128,0x7ffc,0x77,512) 12.50us CNR:OFF Dyn:1 FastMM:1 TID:0  NThr:2
MKL_VERBOSE SGEMM(T,N,512,16,128,0x7ffd,0x55,128,0x66,128,0x7ffc,0x77,512) 1.5ms CNR:OFF Dyn:1 FastMM:1 TID:0  NThr:2
"""


def test_the_logs_of_libraries_are_added_up_by_kernel():
    found = kernels.logged(ONEDNN + "something else, 3\n" + MKL)
    assert dict(found) == pytest.approx(
        {
            "oneDNN rnn brgemm:avx512_core": 1.25e-3,
            "oneDNN matmul brg_matmul:avx512_core": 2.5e-4,
            "MKL SGEMM": 1.5125e-3,
        }
    )
    assert not kernels.logged("")


def named(name, text, mode="forward"):
    """The kernel of an implementation's mode, which has been called once."""
    problem = Problem.parse(text)
    prepared = registry.load(registry.resolve(name)).prepare(problem, make_weights(problem), "cpu", "sequence")
    state = prepared.start(mode, make_inputs(problem))
    prepared.call(mode)(state)
    return kernels.name(prepared, mode, state)


@pytest.mark.process
@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN")
@pytest.mark.parametrize(("uses", "times"), [(True, 1), (False, 16)])
def test_onednns_lstm_is_seen_once_and_without_it_products_once_a_step(monkeypatch, uses, times):
    """Which of them takes longest is up to the machine: any of them may have been interrupted."""
    ran = {}
    monkeypatch.setattr(kernels, "longest", lambda events: ran.update(events) or operators.longest(events))
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", uses)
    told = named("torch_lstm", "t16-b64-i128-h128")
    assert ("(oneDNN rnn" in told) == uses == ("aten::mkldnn_rnn_layer" in ran)
    assert ran["aten::mkldnn_rnn_layer" if uses else "aten::linear"].times in (times, times + 1)


@pytest.mark.parametrize(("mode", "times"), [("forward", 41), ("backward", 43), ("train_step", 84)])
def test_numpys_products_are_counted(mode, times, monkeypatch):
    """Forward has the input projection and one product a step; backward one a step and three for the gradients."""
    ran = {}
    monkeypatch.setattr(numpy_lstm, "longest", lambda events: ran.update(events) or operators.longest(events))
    told = named("numpy_lstm", "t40-b4-i16-h16", mode)
    assert ran["matmul"].times == times
    name, count = re.match(r"(\w+) × (\d+) \(\w+ \w+\)$", told).groups()
    assert int(count) == ran[name].times


def test_the_kernel_is_the_operator_that_takes_the_most_time_in_all():
    """Neither the one that runs most often, nor the one of the longest event."""
    events = [("short", 0.1, 99), ("long", 2.0, 1), ("parted", 1.5, 3), ("parted", 1.0, 4)]
    ran = operators.added((name, operators.Ran(seconds, times)) for name, seconds, times in events)
    assert operators.longest(ran) == "parted × 7"


def test_what_torch_compile_made_has_no_hash_in_its_name():
    names = ("## Call CompiledFxGraph f5oapzjdxsr ##", "## Call CompiledFxGraph fother ##", "aten::addmm")
    assert [profiling.COMPILED.sub("code", name) for name in names] == ["code", "code", "aten::addmm"]


def test_a_framework_that_tells_is_believed_and_where_no_operator_is_seen_nothing_is_guessed(monkeypatch):
    prepared = Prepared(load=id, to_numpy=id, forward=id, kernel=lambda mode, state: f"{mode} of {state}")
    assert kernels.name(prepared, "forward", 3) == "forward of 3"
    monkeypatch.setattr(profiling, "ran", lambda *_: {})
    assert kernels.name(Prepared(load=id, to_numpy=id, forward=id), "forward", 3) is None
