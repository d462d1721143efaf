"""The runner's side of a worker process: start it, send requests, stop it, and find out why it died.

Where a worker does not start, cannot do what is asked, dies, or does not answer in time, ArmFailed says why.
"""

import contextlib
import itertools
import os
import select
import signal
import socket
import subprocess
import time
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import msgspec
import psutil

from benchmarks import ROOT
from benchmarks.options import GIB, Options
from benchmarks.runner import process_tree
from benchmarks.runner.sides import ArmFailed, Version, make_home, shared_folders, worker_variables
from benchmarks.worker import protocol, requests
from benchmarks.worker.protocol import Answer
from benchmarks.worker.used_files import Origin, project_of
from impls.core.text import one_line

POLL_SECONDS = 0.1
WAIT_SECONDS = 1.0
"""What a wait of POLL_SECONDS counts for at most: where it took longer, this process was stopped, as by Ctrl-Z."""
EXHAUSTED = 0.02
"""The share of the machine's memory that must be available, or a worker that is at work is ended."""
SHARE = 0.5
"""The most of the machine's memory that a worker may have, where the options don't say."""
GONE_SECONDS = 5.0
"""A process that has closed its socket must end within this time, or it is killed."""
START_SECONDS = 300.0
"""The least time that a worker may take to import its framework: many start at once, and the disk may be cold."""


class Arm:
    """An implementation in a worker process. The process is stopped except while it works on a request.

    Args:
        options: the session's: device and precision, the most memory, and the most seconds for an answer.
        folder: the folder of its compile caches and its log.
    """

    def __init__(
        self, version: Version, options: Options, cores: tuple[int, ...], dtype: str, folder: Path
    ) -> None:
        self.version = version
        self.implementation = version.implementation
        self.name = self.implementation.name
        self.options = options
        self.cores = cores
        self.dtype = dtype
        self.folder = folder / self.name
        self.log = self.folder / "log.txt"
        self.process: subprocess.Popen[bytes] | None = None
        self.versions: str | None = None
        self.failure: ArmFailed | None = None  # why it could not be started

    def start(self, cores: tuple[int, ...] | None = None) -> None:
        """Start the worker on `cores` and return at once; `wait_ready` moves it to the arm's own processors."""
        make_home(self.folder)
        if self.options.device == "cuda":
            self.share_choices()
        ours, theirs = socket.socketpair()
        with theirs, self.log.open("ab") as log:
            try:
                self.process = self._spawn(theirs.fileno(), log)
            except OSError as error:
                ours.close()
                why = f"{self.version.python} can't be started: {error.strerror}"
                raise ArmFailed("not_installed", why) from None
        with contextlib.suppress(OSError):
            # if memory runs out, the kernel should kill this process first
            Path(f"/proc/{self.pid}/oom_score_adj").write_text("1000")
        self.channel = ours
        self.buffer = b""
        origin = self.version.origin
        if origin is None and not self.implementation.own:
            origin = Origin(str(project_of(self.implementation.path)))
        start = protocol.Start(
            path=str(self.implementation.path),
            requires=self.implementation.requires,
            impls=str(self.version.root / "impls"),
            origin=origin,
            shared=shared_folders(self.folder),
            device=self.options.device,
            cores=cores or self.cores,
            runner=os.getpid(),
        )
        self._send(protocol.line(start))

    def _spawn(self, channel: int, log: BinaryIO) -> subprocess.Popen[bytes]:
        """Start the process of a worker that answers on a file descriptor, and writes to a log."""
        threads = len(self.cores)
        return subprocess.Popen(
            [self.version.python, "-P", "-m", "benchmarks.worker", str(channel)],
            process_group=0,  # of this session: where this process is killed, what is stopped gets SIGHUP
            pass_fds=[channel],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=ROOT,
            env=worker_variables(self.version, self.options, threads, self.dtype, self.folder),
        )

    def wait_ready(self) -> None:
        """Wait until the worker has imported its implementation, then stop it. Where it can't, it is ended."""
        seconds = max(START_SECONDS, self.options.call_seconds)
        try:
            ready = self._receive(protocol.Ready, seconds)
        except ArmFailed:
            self.kill()
            raise
        if ready.digest != self.implementation.digest:
            self.kill()
            name = self.implementation.path.name
            raise ArmFailed("error", f"{name} has changed since it was checked")
        self.versions = ready.versions
        self.bind()

    def share_choices(self) -> None:
        """Let all sides take the kernels that XLA has chosen by timing for the first: equal code gets equal ones."""
        chosen = self.folder.parent.parent / f"{self.name}-chosen"
        own = self.folder / "jax" / "xla_gpu_per_fusion_autotune_cache_dir"
        chosen.mkdir(exist_ok=True)
        own.parent.mkdir(exist_ok=True)
        own.unlink(missing_ok=True)
        own.symlink_to(chosen)

    def bind(self) -> None:
        """Bind every thread of the worker, and of what it has started, to the arm's processors."""
        for thread in process_tree.threads((self.pid, *process_tree.descendants(self.pid))):
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.sched_setaffinity(thread, self.cores)

    def ensure_running(self, cores: tuple[int, ...] | None = None) -> None:
        """Start the worker (see `start`) and wait for it, where it does not run yet or no longer.

        Where it could not be started once, it is not tried again.
        """
        if self.alive:
            return
        self.kill()
        if self.failure is None:
            try:
                self.start(cores)
                self.wait_ready()
            except ArmFailed as failure:
                self.failure = failure
        if self.failure is not None:
            raise self.failure

    @property
    def pid(self) -> int:
        """The worker's process id."""
        assert self.process is not None
        return self.process.pid

    @property
    def alive(self) -> bool:
        """Whether the worker runs."""
        return self.process is not None and self.process.poll() is None

    def ask(self, request: protocol.Request[Answer]) -> Answer:
        """Send a request, let the worker run until it has answered, stop it, and return the answer."""
        self._signal(signal.SIGCONT)
        self._send(protocol.line(request))
        answer = self._receive(request.answer_type(), self.options.call_seconds)
        if isinstance(request, requests.Open) and self.options.device == "cuda":
            self.bind()  # XLA has bound its threads to all processors near the GPU, also to those not given
        return answer

    def kill(self) -> None:
        """Kill the worker and all processes that it has started."""
        worker = self.process
        self.process = None  # first: in `agree`, the thread of another arm may be ending it too
        if worker is None:
            return
        started = process_tree.descendants(worker.pid)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
        _wait_for_end(worker)
        process_tree.end(started)
        self.channel.close()

    def check_from_outside(self, pools: Sequence[int] = ()) -> None:
        """Look whether the worker took more than it was given, or left a process behind: see process_tree.trouble.

        Where it did, it is ended, since what it does next would not be true either: its other benchmarks get a new one.
        """
        trouble = process_tree.trouble(self.pid, self.cores, pools)
        if trouble:
            self.kill()
            raise ArmFailed("error", trouble)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def _send(self, line: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):  # _receive finds out why it died
            self.channel.sendall(line)

    def _receive(self, kind: type[Answer], seconds: float) -> Answer:
        line = self._receive_line(seconds)
        kinds: Any = protocol.Reply[kind] | protocol.Failed  # type: ignore[valid-type]
        try:
            reply: protocol.Reply[Answer] | protocol.Failed = msgspec.json.decode(line, type=kinds)
        except ValueError:  # the implementation has written to a file that it did not open
            self.kill()
            raise ArmFailed("error", "it wrote to the socket on which its worker answers") from None
        if self.alive:  # threads that go on spinning would take processor time from the next arm
            self._signal(signal.SIGSTOP)
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        if isinstance(reply, protocol.Reply):
            return reply.answer
        if reply.ends:  # its other benchmarks get a new process
            self.kill()
        raise ArmFailed(reply.status, reply.reason)

    def _receive_line(self, seconds: float) -> bytes:
        waited = 0.0
        while b"\n" not in self.buffer:
            if waited > seconds:
                self.kill()
                raise ArmFailed("timed_out", f"no answer within {seconds:g} s")
            self._watch_memory()
            began = time.perf_counter()
            if select.select([self.channel], [], [], POLL_SECONDS)[0]:
                try:
                    part = self.channel.recv(1 << 20)
                except ConnectionResetError:
                    part = b""
                if not part:
                    self._died()
                self.buffer += part
            elif not self.alive and not select.select([self.channel], [], [], 0)[0]:
                self._died()  # although a child of it may hold the socket open
            waited += min(time.perf_counter() - began, WAIT_SECONDS)
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line

    def _watch_memory(self) -> None:
        try:
            resident = psutil.Process(self.pid).memory_info().rss
        except psutil.Error:
            return
        memory = psutil.virtual_memory()
        most = self.options.memory_bytes or SHARE * memory.total
        if resident > most:
            reason = f"; the limit is {most / GIB:.2f} GiB"
        elif memory.available < EXHAUSTED * memory.total:  # soon the machine would stand still
            reason = f", and the machine has {memory.available / GIB:.2f} GiB left"
        else:
            return
        self.kill()
        raise ArmFailed("out_of_memory", f"{resident / GIB:.2f} GiB resident{reason}")

    def _died(self) -> NoReturn:
        worker = self.process
        assert worker is not None
        _wait_for_end(worker)  # the implementation may have closed a file that is not its own
        self.kill()
        how = how_it_ended(worker.returncode or 0)
        raise ArmFailed("crashed", f"the process {how}{self._last_words()}")

    def _last_words(self) -> str:
        with self.log.open("rb") as file:  # of any size
            file.seek(-min(2000, self.log.stat().st_size), os.SEEK_END)
            lines = file.read(2000).decode(errors="replace").strip().splitlines()
        return f"; its last line: {one_line(lines[-1], 150)}" if lines else ""


def _wait_for_end(worker: subprocess.Popen[bytes]) -> None:
    """Wait until a process has ended. One that hangs in a driver dies when the driver lets it."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        worker.wait(GONE_SECONDS)


def how_it_ended(code: int) -> str:
    """Return what a return code of subprocess says of a process."""
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:  # most real-time signals have no name
        return f"killed by signal {-code}"


def start_all(arms: Sequence[Arm]) -> None:
    """Start workers, two for each processor at a time, spread over them. A worker that cannot start is left dead.

    This thread starts them all, and no pool of threads: the kernel kills a worker when the thread ends that started it.
    """
    usable = sorted(os.sched_getaffinity(0))
    most = 2 * len(usable)  # more take more processor time: docs/decisions/0027-start.md
    next_core = itertools.cycle(usable)
    starting: deque[Arm] = deque()
    for arm in arms:
        if len(starting) == most:
            _wait_ready(starting.popleft())
        cores = tuple(next(next_core) for _ in arm.cores)
        with contextlib.suppress(ArmFailed):
            arm.start(cores)
            starting.append(arm)
    for arm in starting:
        _wait_ready(arm)


def kill_all(arms: Iterable[Arm]) -> None:
    """Kill workers, all at once: the kernel takes a while to take back the memory of each."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda arm: arm.kill(), arms))


def _wait_ready(arm: Arm) -> None:
    with contextlib.suppress(ArmFailed):
        arm.wait_ready()
