"""The runner's side of one worker process: start it, ask it, stop it, and find out what killed it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeVar

import msgspec
import psutil

from benchmarks.measurement import protocol
from benchmarks.measurement.worker import one_line
from impls.core.contract import FLOOR_CHOICES
from impls.core.precision import framework_variables
from impls.core.registry import Implementation

ROOT = Path(__file__).resolve().parent.parent.parent
POLL_SECONDS = 0.1
GONE_SECONDS = 5.0
"""A process whose socket has closed ends within these, or is ended."""
START_SECONDS = 300.0
"""A worker may take this long to import its framework: many start at once, and the disk may be cold."""

AnswerType = TypeVar("AnswerType", bound=protocol.Answer)


class ArmFailed(Exception):
    """An arm could not do what it was asked; status and reason are those of its row."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(f"{status}: {reason}")
        self.status = status
        self.reason = reason


@dataclass(frozen=True)
class Limits:
    """What an arm may use: processors, seconds for one answer, resident bytes."""

    cores: tuple[int, ...]
    call_seconds: float
    memory_bytes: int


@dataclass(frozen=True)
class Home:
    """Which Python runs a worker, and where that Python finds impls and benchmarks, in this order."""

    python: str = sys.executable
    path: tuple[Path, ...] = (ROOT,)


def worker_variables(
    implementation: Implementation, device: str, threads: int, dtype: str, cache: Path, home: Home
) -> dict[str, str]:
    """A worker's environment variables: threads set from outside, full precision, compile caches of its own."""
    # an environment of its own is to hold what it was built to hold, whatever the user's path leads to
    inherited = [os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") and home.python == sys.executable else []
    libraries = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB_MAXIMUM")
    return {
        **os.environ,
        **{f"{library}_NUM_THREADS": str(threads) for library in libraries},
        "JAX_COMPILATION_CACHE_DIR": str(cache / "jax"),
        # JAX keeps only what took over a second to compile, unless told otherwise
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "TORCHINDUCTOR_CACHE_DIR": str(cache / "inductor"),
        "TRITON_CACHE_DIR": str(cache / "triton"),
        # compiling in this process: a pool of compile workers would live on beside the measurement
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
        "KERAS_HOME": str(cache / "keras"),  # else Keras reads and writes a file in the user's home
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join([*map(str, home.path), *inherited]),
        FLOOR_CHOICES: str(cache.parent / "floor.json"),
        **framework_variables(device, dtype),
        **implementation.variables,
    }


class Arm:
    """One implementation as it runs in one worker process. It runs only while it is being asked something."""

    def __init__(
        self,
        implementation: Implementation,
        device: str,
        limits: Limits,
        dtype: str,
        folder: Path,
        home: Home = Home(),
    ) -> None:
        self.implementation = implementation
        self.name = implementation.name
        self.device = device
        self.limits = limits
        self.dtype = dtype
        self.folder = folder / self.name
        self.home = home
        self.process: subprocess.Popen[bytes] | None = None
        self.ready: protocol.Ready | None = None

    def start(self, cores: tuple[int, ...] | None = None) -> None:
        """Begin to start the worker, on its own processors or on others; `wait_ready` brings it to its own."""
        self.folder.mkdir(parents=True, exist_ok=True)
        ours, theirs = socket.socketpair()
        self.log = self.folder / "log.txt"
        threads = len(self.limits.cores)
        with theirs, self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self.home.python, "-P", "-m", "benchmarks.measurement.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env=worker_variables(self.implementation, self.device, threads, self.dtype, self.folder, self.home),
                start_new_session=True,
            )
        with contextlib.suppress(OSError):  # should the kernel run out of memory, it is to take this one
            Path(f"/proc/{self.process.pid}/oom_score_adj").write_text("1000")
        self.channel = ours
        self.buffer = b""
        self.asked = 0
        path = str(self.implementation.path)
        self._send(protocol.Start(path, self.device, cores or self.limits.cores, os.getpid()))

    def wait_ready(self) -> None:
        """Wait for the worker, then stop it until it is asked.

        Raises:
            ArmFailed: where it does not start.
        """
        assert self.process is not None
        self.ready = self._receive(protocol.Ready, max(START_SECONDS, self.limits.call_seconds))
        if self.ready.digest != self.implementation.digest:
            raise ArmFailed("error", f"{self.implementation.path.name} has changed since it was checked")
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            with contextlib.suppress(ProcessLookupError):  # a thread that has just ended
                os.sched_setaffinity(int(task.name), self.limits.cores)

    def ensure_running(self, cores: tuple[int, ...] | None = None) -> None:
        """Start the worker (see `start`), again where it has died, and wait for it.

        Raises:
            ArmFailed: where it does not start.
        """
        if not self.alive:
            self.kill()
            self.start(cores)
            try:
                self.wait_ready()
            except ArmFailed:
                self.kill()
                raise

    @property
    def alive(self) -> bool:
        """Whether there is a worker to ask."""
        return self.process is not None and self.process.poll() is None

    def ask(self, request: protocol.AnyRequest, answer: type[AnswerType], seconds: float | None = None) -> AnswerType:
        """Let the worker run until it has answered.

        Args:
            request: what is asked.
            answer: the type of its answer.
            seconds: how long the worker may take, where that is not the arm's own limit.

        Raises:
            ArmFailed: where the worker cannot do it, or dies, or does not answer in time.
        """
        self._signal(signal.SIGCONT)
        self.asked += 1
        self._send(protocol.NumberedRequest(self.asked, request))
        return self._receive(answer, seconds or self.limits.call_seconds)

    def kill(self) -> None:
        """End the worker and whatever it started."""
        if self.process is None:
            return
        self._signal(signal.SIGKILL)
        self.process.wait()
        self.channel.close()
        self.process = None

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def _stop(self) -> None:
        # a pool of threads that goes on spinning would take the next arm's core
        self._signal(signal.SIGSTOP)
        assert self.process is not None
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def _send(self, message: msgspec.Struct) -> None:
        with contextlib.suppress(BrokenPipeError):  # its death is found, and told, by _receive
            self.channel.sendall(protocol.line(message))

    def _receive(self, answer: type[AnswerType], seconds: float) -> AnswerType:
        line = self._receive_line(seconds)
        try:
            message = msgspec.json.decode(line, type=protocol.NumberedAnswer)
            content = message.content
            if message.number not in (self.asked, protocol.REFUSED) or not isinstance(
                content, answer | protocol.Failed
            ):
                raise ValueError("not the answer to what was asked")
        except ValueError:  # msgspec's errors are such; an implementation writes to files it did not open
            self.kill()
            raise ArmFailed("error", "it wrote to the socket on which its worker answers") from None
        if self.alive:
            self._stop()
        if isinstance(content, protocol.Failed):
            raise ArmFailed(content.status, content.reason)
        return content

    def _receive_line(self, seconds: float) -> bytes:
        deadline = time.perf_counter() + seconds
        while b"\n" not in self.buffer:
            if select.select([self.channel], [], [], POLL_SECONDS)[0]:
                try:
                    part = self.channel.recv(1 << 20)
                except ConnectionResetError:
                    part = b""
                if not part:
                    self._died()
                self.buffer += part
                continue
            if not self.alive and not select.select([self.channel], [], [], 0)[0]:
                self._died()  # though a child of it may hold the socket open
            self._watch_memory()
            if time.perf_counter() > deadline:
                self.kill()
                raise ArmFailed("timed_out", f"no answer within {seconds:g} s")
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line

    def _watch_memory(self) -> None:
        assert self.process is not None
        try:
            resident = psutil.Process(self.process.pid).memory_info().rss
        except psutil.Error:
            return
        if resident > self.limits.memory_bytes:
            self.kill()
            gib = 1 << 30
            raise ArmFailed(
                "out_of_memory",
                f"{resident / gib:.2f} GiB resident; the limit is {self.limits.memory_bytes / gib:.2f} GiB",
            )

    def _died(self) -> NoReturn:
        assert self.process is not None
        try:
            code = self.process.wait(GONE_SECONDS)
        except subprocess.TimeoutExpired:  # an implementation closes files it did not open
            self.kill()
            raise ArmFailed("crashed", "the process closed the socket on which it answers, and lived on") from None
        self.kill()
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
        raise ArmFailed("crashed", f"the process {how}{self._last_words()}")

    def _last_words(self) -> str:
        lines = self.log.read_bytes()[-2000:].decode(errors="replace").strip().splitlines()
        return f"; its last line: {one_line(lines[-1], 150)}" if lines else ""


def start_all(arms: Sequence[Arm]) -> None:
    """Start workers all at once, shared out over the processors. One that cannot start says why when it is asked."""
    usable = sorted(os.sched_getaffinity(0))
    for k, arm in enumerate(arms):
        n = len(arm.limits.cores)
        arm.start(tuple(usable[(k * n + j) % len(usable)] for j in range(n)))
    for arm in arms:
        try:
            arm.wait_ready()
        except ArmFailed:
            arm.kill()
